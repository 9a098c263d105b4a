using Muse.Queue;

namespace Muse.Api;

/// <summary>The result of a submission.</summary>
public abstract record SubmissionResult
{
    /// <summary>The request has a job: a new one, or the one of an earlier try.</summary>
    /// <param name="Job">The job as it was parsed; the job of an earlier try may differ in id and seed.</param>
    /// <param name="JobId">The job to wait for.</param>
    /// <param name="Warnings">Fields that were accepted and have no effect, each in a sentence.</param>
    /// <param name="CancelOnDisconnect">Whether the job is cancelled when its last client disconnects.</param>
    public sealed record Accepted(ImageJob Job, string JobId, IReadOnlyList<string> Warnings, bool CancelOnDisconnect) : SubmissionResult
    {
        /// <summary>Whether this request created the job.</summary>
        public bool IsNew => Job.Id == JobId;
    }

    /// <summary>The request has no job.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Rejected(ApiError Error) : SubmissionResult;
}
