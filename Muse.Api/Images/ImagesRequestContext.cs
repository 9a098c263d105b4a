namespace Muse.Api;

/// <summary>What the response of the images API needs to know of the request.</summary>
/// <param name="Submission">The accepted job.</param>
/// <param name="AsLinks">Whether the client requested links instead of Base64.</param>
/// <param name="Model">The served model.</param>
/// <param name="Quality">The quality that the client requested.</param>
/// <param name="EventPrefix">How the names of its events begin.</param>
public sealed record ImagesRequestContext(
    SubmissionResult.Accepted Submission, bool AsLinks, string Model, string? Quality, string EventPrefix = "image_generation")
{
    /// <summary>The job's id.</summary>
    public string JobId => Submission.JobId;

    /// <summary>The quality as OpenAI's responses name it.</summary>
    public string ResponseQuality => Quality switch { "low" => "low", "high" or "hd" or "xhigh" or "max" => "high", _ => "medium" };
}
