namespace Muse.Queue;

/// <summary>A final job with its images.</summary>
/// <param name="Job">The job.</param>
/// <param name="Images">One element per image, in order; null where there is none (failed or cancelled).</param>
public sealed record FinishedJob(JobSnapshot Job, IReadOnlyList<StoredImage?> Images);
