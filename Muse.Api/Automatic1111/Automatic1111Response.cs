using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>
/// The response of <c>txt2img</c> and <c>img2img</c>, written straight to the connection: <see cref="Automatic1111Images"/>.
/// </summary>
/// <param name="body">The request.</param>
/// <param name="warnings">What had no effect or another one than asked for.</param>
/// <param name="finished">The job with the images that were completed.</param>
/// <param name="model">The served model.</param>
public sealed class Automatic1111Response(Automatic1111Body body, IReadOnlyList<string> warnings, FinishedJob finished, string model)
    : IResult, IEndpointMetadataProvider
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteStartArray("images");
        foreach (var image in body.SendImages is 0 ? [] : finished.Images.OfType<StoredImage>())
            await Base64Json.WriteAsync(json, image.Bytes, httpContext.RequestAborted);
        json.WriteEndArray();
        json.WritePropertyName("parameters");
        JsonSerializer.Serialize(json, Parameters(), ApiJson.Default.Automatic1111Body);
        json.WriteString("info", JsonSerializer.Serialize(Info(), ReadableJson.Default.Automatic1111Info));
        json.WriteEndObject();
    }

    /// <summary>The request without its images, and without the fields that have no effect, among which may be a password.</summary>
    Automatic1111Body Parameters() => body with { InitImages = null, Mask = null, OverrideSettings = null, Others = null };

    Automatic1111Info Info()
    {
        var job = finished.Job.Job;
        var completed = finished.Job.Images.Where(image => finished.Images[image.Index] is not null).ToList();
        var (first, seeds) = (completed[0], completed.Select(image => unchecked((ulong)image.Seed)).ToList());
        List<string> all = [.. warnings];
        if (completed.Count < job.Count)
            all.Add($"The job was interrupted; {completed.Count} of {job.Count} images are complete.");
        if (first.PromptCutOff is { } cutOff)
            all.Add($"The end of the prompt is beyond the model's limit and was not used: {cutOff}");
        return new()
        {
            Prompt = job.Prompt,
            AllPrompts = [.. completed.Select(_ => job.Prompt)],
            NegativePrompt = job.NegativePrompt,
            AllNegativePrompts = [.. completed.Select(_ => job.NegativePrompt)],
            Seed = seeds[0],
            AllSeeds = seeds,
            Subseed = seeds[0],
            AllSubseeds = seeds,
            Width = first.Width,
            Height = first.Height,
            SamplerName = job.Sampler is { } sampler ? Automatic1111Samplers.Title(sampler) : "",
            CfgScale = job.GuidanceScale ?? 0,
            Steps = job.Steps ?? first.Steps,
            BatchSize = completed.Count,
            SdModelName = model,
            DenoisingStrength = job.Input?.Strength,
            Infotexts = [.. completed.Select(image => ImageTexts.ParametersOf(finished.Images[image.Index]!.Bytes.Span))],
            JobTimestamp = Timestamp(job.CreatedAt),
            Warnings = all,
        };
    }

    /// <summary>A time as the web UI writes it.</summary>
    public static string Timestamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(Automatic1111Images), ["application/json"]));
}
