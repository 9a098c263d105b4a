using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Links to pictures that need no key: the job's id in them is 144 random bits, and any API process behind a load balancer can serve them.</summary>
public sealed class PictureLinks(IOptions<ApiOptions> options)
{
    readonly string? publicUrl = options.Value.PublicUrl?.AbsoluteUri.TrimEnd('/');

    /// <summary>The link to a picture.</summary>
    public string To(HttpRequest request, string jobId, int index, PictureFormat format)
    {
        var root = publicUrl ?? $"{request.Scheme}://{request.Host}{request.PathBase}";
        return $"{root}/v1/images/files/{jobId}/{index}.{Extension(format)}";
    }

    /// <summary>Whether a job's links still work.</summary>
    public bool Work(JobSnapshot job, DateTimeOffset now) => job.FinishedAt is not { } finished || now - finished < options.Value.LinkLifetime;

    /// <summary>A format's word in requests, answers and file names.</summary>
    public static string Extension(PictureFormat format) => format switch
    {
        PictureFormat.Jpeg => "jpeg",
        PictureFormat.Webp => "webp",
        _ => "png",
    };

    /// <summary>A format's media type.</summary>
    public static string MediaType(PictureFormat format) => $"image/{Extension(format)}";
}
