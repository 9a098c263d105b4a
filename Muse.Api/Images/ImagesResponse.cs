using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The response of the images API, written straight to the connection: the Base64 of an image never exists as a string.</summary>
/// <param name="request">The request.</param>
/// <param name="job">The completed job.</param>
/// <param name="images">Its images.</param>
public sealed class ImagesResponse(ImagesRequestContext request, JobSnapshot job, IReadOnlyList<StoredImage?> images)
    : IResult, IEndpointMetadataProvider
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var links = httpContext.RequestServices.GetRequiredService<ImageLinks>();
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("created", (job.FinishedAt ?? job.Job.CreatedAt).ToUnixTimeSeconds());
        json.WriteStartArray("data");
        foreach (var image in job.Images)
        {
            json.WriteStartObject();
            if (request.AsLinks)
                json.WriteString("url", links.Create(httpContext, job, image.Index));
            else
                await Base64Json.WriteAsync(json, "b64_json", images[image.Index]?.Bytes ?? default, httpContext.RequestAborted);
            json.WriteNull("revised_prompt");
            ImageJson.WriteImage(json, image);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        ImageJson.WriteJob(json, job, request);
        ImageJson.WriteUsage(json, job, job.Images.Count);
        ImageJson.WriteWarnings(json, request);
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(ImagesResponseBody), ["application/json"]));
}
