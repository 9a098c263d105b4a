namespace Muse.Queue;

/// <summary>A final job with its images.</summary>
/// <param name="Job">The job.</param>
/// <param name="Images">One element per image, in order; null where there is none (failed or cancelled).</param>
public sealed record FinishedJob(JobSnapshot Job, IReadOnlyList<StoredImage?> Images) : IDisposable
{
    /// <summary>Gives the images' memory back to its pool.</summary>
    public void Dispose()
    {
        foreach (var image in Images)
            image?.Dispose();
    }
}
