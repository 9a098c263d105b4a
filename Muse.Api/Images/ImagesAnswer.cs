using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The answer of the images API, written straight into the connection: a picture's Base64 never exists as a string.</summary>
/// <param name="asked">What the client asked for.</param>
/// <param name="job">The finished job.</param>
/// <param name="pictures">Its pictures.</param>
public sealed class ImagesAnswer(ImagesQuestion asked, JobSnapshot job, IReadOnlyList<StoredPicture?> pictures) : IResult, IEndpointMetadataProvider
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("created", (job.FinishedAt ?? job.Job.CreatedAt).ToUnixTimeSeconds());
        json.WriteStartArray("data");
        foreach (var picture in job.Pictures)
        {
            json.WriteStartObject();
            if (asked.AsLinks)
                json.WriteString("url", httpContext.RequestServices.GetRequiredService<PictureLinks>().To(httpContext.Request, job.Job.Id, picture.Index, job.Job.Format));
            else
                await Base64Json.WriteAsync(json, "b64_json", pictures[picture.Index]?.Bytes ?? default, httpContext.RequestAborted);
            json.WriteNull("revised_prompt");
            PictureFacts.Write(json, picture);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        PictureFacts.WriteJob(json, job, asked);
        PictureFacts.WriteUsage(json, job, job.Pictures.Count);
        if (asked.Warnings.Count > 0)
        {
            json.WriteStartArray("warnings");
            foreach (var warning in asked.Warnings)
                json.WriteStringValue(warning);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(ImagesAnswerBody), ["application/json"]));
}
