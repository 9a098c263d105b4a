using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The response of the images API, written straight to the connection: the Base64 of a picture never exists as a string.</summary>
/// <param name="request">The request.</param>
/// <param name="job">The completed job.</param>
/// <param name="pictures">Its pictures.</param>
public sealed class ImagesResponse(ImagesRequestContext request, JobSnapshot job, IReadOnlyList<StoredPicture?> pictures)
    : IResult, IEndpointMetadataProvider
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var links = httpContext.RequestServices.GetRequiredService<PictureLinks>();
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("created", (job.FinishedAt ?? job.Job.CreatedAt).ToUnixTimeSeconds());
        json.WriteStartArray("data");
        foreach (var picture in job.Pictures)
        {
            json.WriteStartObject();
            if (request.AsLinks)
                json.WriteString("url", links.Create(httpContext, job, picture.Index));
            else
                await Base64Json.WriteAsync(json, "b64_json", pictures[picture.Index]?.Bytes ?? default, httpContext.RequestAborted);
            json.WriteNull("revised_prompt");
            PictureJson.WritePicture(json, picture);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        PictureJson.WriteJob(json, job, request);
        PictureJson.WriteUsage(json, job, job.Pictures.Count);
        PictureJson.WriteWarnings(json, request);
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(ImagesResponseBody), ["application/json"]));
}
