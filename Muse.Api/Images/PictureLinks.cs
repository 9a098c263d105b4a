using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Links to pictures that need no key: the job's id in them has 144 random bits. Every API process can serve them.</summary>
public sealed class PictureLinks(IOptions<ApiOptions> options, LinkGenerator links)
{
    readonly string? publicUrl = options.Value.PublicUrl?.AbsoluteUri.TrimEnd('/');

    /// <summary>The link to a picture.</summary>
    public string Create(HttpContext context, string jobId, int index, PictureFormat format)
    {
        var values = new { job = jobId, file = $"{index}.{Extension(format)}" };
        return publicUrl is null
            ? links.GetUriByName(context, RouteNames.GetImageFile, values)!
            : publicUrl + links.GetPathByName(RouteNames.GetImageFile, values);
    }

    /// <summary>Whether the links of a job still work.</summary>
    public bool AreValid(JobSnapshot job, DateTimeOffset now) =>
        job.FinishedAt is not { } finished || now - finished < options.Value.LinkLifetime;

    /// <summary>The name of a format in requests, responses and file names.</summary>
    public static string Extension(PictureFormat format) => format switch
    {
        PictureFormat.Jpeg => "jpeg",
        PictureFormat.Webp => "webp",
        _ => "png",
    };

    /// <summary>The media type of a format.</summary>
    public static string MediaType(PictureFormat format) => $"image/{Extension(format)}";
}
