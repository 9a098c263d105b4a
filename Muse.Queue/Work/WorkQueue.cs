namespace Muse.Queue;

/// <summary>The queue as a worker sees it: read, renew, report, finish, hand back.</summary>
public sealed class WorkQueue
{
    /// <summary>Takes up to <paramref name="max"/> pictures: those of dead workers first, then new ones, interactive before batch. Never blocks; malformed entries go to the dead letters, cancelled and expired ones are ended, and neither is returned.</summary>
    public Task<IReadOnlyList<WorkItem>> ReadAsync(int max, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Completes when something was added since the last call, or after the safety poll.</summary>
    public Task WaitForWorkAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Keeps the leases of the pictures in work.</summary>
    /// <returns>Those that are no longer this worker's (taken over, cancelled, final): stop painting them.</returns>
    public Task<IReadOnlyList<WorkItem>> RenewAsync(IReadOnlyCollection<WorkItem> items, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Tells how far a picture is, with a preview if there is one. May be lost; never throws for Redis being away.</summary>
    public Task ReportAsync(WorkItem item, int step, int steps, StoredPicture? preview) => throw new NotImplementedException();

    /// <summary>Keeps a picture's state, from which another worker can go on.</summary>
    public Task SaveCheckpointAsync(WorkItem item, int step, ReadOnlyMemory<byte> state) => throw new NotImplementedException();

    /// <summary>Writes the picture and acknowledges its entry, unless another worker was first.</summary>
    /// <returns>Whether this call's picture is the one that counts.</returns>
    public Task<bool> CompleteAsync(WorkItem item, FinishedPicture picture, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Ends the picture with an error and acknowledges its entry, unless it is final already.</summary>
    public Task<bool> FailAsync(WorkItem item, JobError error, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Gives pictures back, each with the state to go on from, to be taken at once by whoever has room.</summary>
    public Task HandBackAsync(IReadOnlyCollection<(WorkItem Item, int Step, ReadOnlyMemory<byte> State)> items, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>One picture to paint.</summary>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="Job">The job it belongs to.</param>
/// <param name="Index">Which of the job's pictures.</param>
/// <param name="Deliveries">How often it was delivered, this time included.</param>
/// <param name="Checkpoint">The state to go on from; empty to begin at the beginning.</param>
public sealed record WorkItem(string EntryId, ImageJob Job, int Index, int Deliveries, ReadOnlyMemory<byte> Checkpoint)
{
    /// <summary>Unique to the picture: <c>{job}/{index}</c>.</summary>
    public string Id { get; } = $"{Job.Id}/{Index}";

    /// <summary>The seed to paint with.</summary>
    public long Seed => unchecked(Job.Seed + Index);
}

/// <summary>A painted picture, ready to be stored.</summary>
/// <param name="Picture">Its bytes.</param>
/// <param name="Steps">The steps it took.</param>
/// <param name="StartedAt">When this or an earlier worker began it.</param>
/// <param name="PromptCutOff">What the model could not read of the prompt.</param>
/// <param name="Flagged">Whether the safety checker blurred it.</param>
public sealed record FinishedPicture(StoredPicture Picture, int Steps, DateTimeOffset StartedAt, string? PromptCutOff = null, bool Flagged = false);
