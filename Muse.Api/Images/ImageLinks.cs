using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>
/// Links to images that need no key: each carries its end and a signature (HMAC-SHA256), so a job's id alone opens nothing.
/// </summary>
/// <remarks>
/// All API processes sign with one secret, which the first of them creates in Redis. So each can serve the links of the others.
/// </remarks>
public sealed class ImageLinks(IOptions<ApiOptions> options, LinkGenerator links, JobQueue queue, TimeProvider time)
{
    const int SignatureBytes = 18;

    readonly string? publicUrl = options.Value.PublicUrl?.AbsoluteUri.TrimEnd('/');
    volatile byte[]? secret;

    /// <summary>Reads the secret before the first request that may need it.</summary>
    public async Task LoadSecretAsync(HttpContext context, RequestDelegate next)
    {
        if (secret is null && (context.Request.Path.StartsWithSegments("/v1/images")
            || context.Request.Path.StartsWithSegments("/v1/generations")))
        {
            secret = await queue.LinkSecretAsync(RandomNumberGenerator.GetBytes(32), context.RequestAborted);
        }
        await next(context);
    }

    /// <summary>The link to an image.</summary>
    /// <param name="context">The request, whose host is the link's unless <see cref="ApiOptions.PublicUrl"/> is set.</param>
    /// <param name="job">The job. The link works for <see cref="ApiOptions.LinkLifetime"/> after its end.</param>
    /// <param name="index">Which of its images.</param>
    public string Create(HttpContext context, JobSnapshot job, int index)
    {
        var file = $"{index}.{Extension(job.Job.Format)}";
        var expires = ((job.FinishedAt ?? time.GetUtcNow()) + options.Value.LinkLifetime).ToUnixTimeSeconds();
        var values = new { job = job.Job.Id, file, expires, signature = Sign(job.Job.Id, file, expires) };
        return publicUrl is null
            ? links.GetUriByName(context, RouteNames.GetImageFile, values)!
            : publicUrl + links.GetPathByName(RouteNames.GetImageFile, values);
    }

    /// <summary>Whether a link has a valid signature and has not expired. Needs no Redis.</summary>
    public bool IsValid(string jobId, string file, string? expires, string? signature) =>
        long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var end)
        && end >= time.GetUtcNow().ToUnixTimeSeconds()
        && signature is not null
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(signature), Encoding.UTF8.GetBytes(Sign(jobId, file, end)));

    string Sign(string jobId, string file, long expires)
    {
        var signed = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{jobId}/{file}/{expires}"));
        return Base64Url.EncodeToString(HMACSHA256.HashData(secret!, signed).AsSpan(0, SignatureBytes));
    }

    /// <summary>The name of a format in requests, responses and file names.</summary>
    public static string Extension(OutputFormat format) => format switch
    {
        OutputFormat.Jpeg => "jpeg",
        OutputFormat.Webp => "webp",
        _ => "png",
    };

    /// <summary>The media type of a format.</summary>
    public static string MediaType(OutputFormat format) => $"image/{Extension(format)}";
}
