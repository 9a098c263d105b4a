namespace Muse.Queue;

/// <summary>A job with its pictures.</summary>
/// <param name="Job">The job.</param>
/// <param name="Pictures">One element per picture, in order; null where there is none (failed, cancelled, not completed yet).</param>
public sealed record FinishedJob(JobSnapshot Job, IReadOnlyList<StoredPicture?> Pictures);
