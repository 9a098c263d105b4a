using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>A worker's side of the queue: read, renew, report, complete, hand back.</summary>
public sealed partial class WorkQueue
{
    /// <summary>Images that one call takes at most.</summary>
    const int MaxRead = 12;

    /// <summary>Images up to this size are arguments of the script and share a call. For larger ones an upload costs less.</summary>
    const int StoredTogetherBytes = 32 * 1024;

    /// <summary>The time between two attempts to store a result while Redis is unavailable.</summary>
    static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest time between two attempts while the object store is unavailable. They begin at the one above.</summary>
    static readonly TimeSpan MaxStoreRetryInterval = TimeSpan.FromSeconds(4);

    readonly QueueConnection connection;
    readonly ObjectStore objects;
    readonly QueueSignals.Subscription signals;
    readonly ILogger logger;
    readonly ConcurrentDictionary<string, WorkItem> held = new(); // By entry id.
    readonly GroupCommit<RedisValue[], RedisResult> completions;
    readonly Channel<string> cancellations = Channel.CreateBounded<string>(
        new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropOldest });

    long taken, lookedForAbandoned;
    int waitingForStore;
    volatile bool responseLost, handedBack;

    internal WorkQueue(QueueConnection connection, ObjectStore objects, QueueSignals signals, ILogger<WorkQueue> logger)
    {
        (this.connection, this.objects, this.logger) = (connection, objects, logger);
        this.signals = signals.Subscribe(OnSignal);
        completions = new(CompleteTogetherAsync, MaxRead);
    }

    /// <summary>
    /// This worker's name, unique to the process: its consumer in the group and its <see cref="WorkerHeartbeat.Worker"/>.
    /// </summary>
    public string Worker { get; } =
        $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>
    /// Ids of cancelled jobs, as they are signalled. Signals may get lost; <see cref="RenewAsync"/> and <see cref="ReportAsync"/> report
    /// cancellations reliably.
    /// </summary>
    public ChannelReader<string> Cancellations => cancellations.Reader;

    /// <summary>The images that this worker has taken and not ended. Their leases have to be renewed.</summary>
    public IReadOnlyCollection<WorkItem> Held => [.. held.Values];

    /// <summary>Whether the last report or checkpoint reached Redis.</summary>
    public bool IsReachable { get; private set; } = true;

    /// <summary>Handles a signal.</summary>
    /// <returns>Whether it ends <see cref="WaitForWorkAsync"/>.</returns>
    bool OnSignal(string signal)
    {
        if (signal.StartsWith(QueueSignals.Cancel, StringComparison.Ordinal))
            cancellations.Writer.TryWrite(signal[QueueSignals.Cancel.Length..]);
        if (signal == QueueSignals.HandBack)
            handedBack = true;
        return signal is QueueSignals.Work or QueueSignals.HandBack || signal == QueueSignals.Drain + Worker;
    }

    /// <summary>
    /// Takes up to <paramref name="max"/> images (12 at a time): those of dead workers first, then new ones, interactive before batch.
    /// It never blocks. Not returned: malformed entries, which become dead letters; images past their deadline, which fail; images
    /// that have ended already. While results wait for the object store, none are taken, so that they do not fill the memory.
    /// </summary>
    /// <exception cref="QueueUnavailableException">Redis is unavailable. What it may have delivered comes with the next call.</exception>
    public async Task<IReadOnlyList<WorkItem>> ReadAsync(int max, CancellationToken cancellation)
    {
        max = Math.Min(max, MaxRead);
        if (max <= 0 || WaitsForStore)
            return [];
        var recover = responseLost;
        var arguments = new List<RedisValue>
        {
            connection.RetentionMilliseconds, Worker, max, LanePolicy.BatchShare(taken, max),
            (long)connection.Options.Lease.TotalMilliseconds, connection.Options.MaxDeliveries,
            ShouldLookForAbandoned() || recover ? 1 : 0, recover ? 1 : 0,
            Poisoned, DeadlineExceeded, Unreadable, QueueJson.MaxJobBytes,
        };
        arguments.AddRange(held.Keys.Select(entry => (RedisValue)entry));
        RedisResult[] rows;
        try
        {
            rows = (RedisResult[])(await connection.RunAsync(QueueScripts.Take, CancellationToken.None, [.. arguments]))!;
            responseLost = false;
        }
        catch (QueueUnavailableException)
        {
            responseLost = true;
            throw;
        }
        var items = new List<WorkItem>(rows.Length);
        try
        {
            foreach (var row in rows)
            {
                if (await ToWorkItemAsync((RedisResult[])row!) is { } item)
                    items.Add(item);
            }
        }
        catch
        {
            // The caller gets none of them. The next call delivers them again.
            items.ForEach(Release);
            responseLost = true;
            throw;
        }

        taken += items.Count;
        return items;
    }

    /// <summary>Whether to look for images of dead workers: every tenth of a lease, and after images were handed back.</summary>
    bool ShouldLookForAbandoned()
    {
        var now = connection.Time.GetTimestamp();
        var due = handedBack || lookedForAbandoned == 0
            || connection.Time.GetElapsedTime(lookedForAbandoned, now) > connection.Options.Lease / 10;
        if (!due)
            return false;
        (handedBack, lookedForAbandoned) = (false, now);
        return true;
    }

    /// <summary>Converts a row of <c>take.lua</c>. An entry whose job is invalid becomes a dead letter, and null is returned.</summary>
    async Task<WorkItem?> ToWorkItemAsync(RedisResult[] row)
    {
        var (lane, entry, deliveries) = ((string)row[0]!, (string)row[1]!, (int)row[2]);
        var (jobId, index) = ((string)row[3]!, (int)row[4]);
        var job = QueueJson.ReadJob((RedisValue)row[5], out var reason);
        if (job is not null && job.Id != jobId)
            reason = "The stored job has another id.";
        else if (job is not null && index >= job.Count)
            reason = "The job has no such image.";
        if (job is null || reason != "")
        {
            LogDamaged(logger, jobId, index, reason);
            await FailAsync(lane, entry, jobId, index, Unreadable, reason, reason, CancellationToken.None);
            return null;
        }
        var item = new WorkItem(entry, job, index, deliveries, (byte[])row[6]!)
        {
            Lane = lane == QueueKeys.Lane(JobPriority.Interactive) ? JobPriority.Interactive : JobPriority.Batch,
            StartedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)row[7]),
        };
        held[item.EntryId] = item;
        QueueTelemetry.Taken.Add(1, new KeyValuePair<string, object?>("first", deliveries == 1));
        if (row[8].Resp2Type == ResultType.Integer) // Not for an image that was started before.
            QueueTelemetry.Waited.Record((double)row[8] / 1000);
        return item;
    }

    /// <summary>Reads the pixels of an image's input. While Redis or the object store is unavailable, it waits.</summary>
    /// <exception cref="InvalidDataException">They are not stored, or not readable.</exception>
    public async Task<InputPixels> ReadInputAsync(WorkItem item, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                var values = await connection.TryAsync(
                    database => database.HashGetAsync(connection.Keys.Input(item.Job.Id), InputFields), cancellation);
                if (StoredInput.Parse(values[2]) is { } stored)
                    return stored.Split(await WhenStoreIsBackAsync(item, () => ReadObjectAsync(stored.Object, cancellation), cancellation));
                return values[0].IsNull
                    ? throw new InvalidDataException("The input image of the job is not stored.")
                    : new((ReadOnlyMemory<byte>)values[0], (ReadOnlyMemory<byte>)values[1]);
            }
            catch (QueueUnavailableException exception)
            {
                LogInputNotRead(logger, item.Job.Id, item.Index, exception.Message);
                await Task.Delay(RetryInterval, connection.Time, cancellation);
            }
            catch (RedisServerException exception)
            {
                throw new InvalidDataException("The input image of the job is damaged.", exception);
            }
        }
    }

    /// <summary>An object's content. Its memory is left to the garbage collector.</summary>
    async Task<ReadOnlyMemory<byte>> ReadObjectAsync(StoredObject stored, CancellationToken cancellation) =>
        await objects.ReadAsync(stored, cancellation) is { } found
            ? found.Memory[..stored.Length]
            : throw new InvalidDataException("The input image of the job is not in the object store any more.");

    static readonly RedisValue[] InputFields = ["image", "mask", StoredInput.Field];

    /// <summary>Completes when work was added since the last call, or after <see cref="QueueOptions.SafetyPoll"/>.</summary>
    public Task WaitForWorkAsync(CancellationToken cancellation) => signals.WaitAsync(connection.Options.SafetyPoll, cancellation);

    /// <summary>Renews the leases of images.</summary>
    /// <returns>Images that no longer belong to this worker (taken over, cancelled, final). Stop working on them.</returns>
    public async Task<IReadOnlyList<WorkItem>> RenewAsync(IReadOnlyCollection<WorkItem> items, CancellationToken cancellation)
    {
        if (items.Count == 0)
            return [];
        var arguments = new List<RedisValue> { QueueConnection.UnfinishedMilliseconds, Worker };
        foreach (var item in items)
            arguments.AddRange([QueueKeys.Lane(item.Lane), item.EntryId, item.Job.Id, item.Index]);
        var kept = (int[])(await connection.RunAsync(QueueScripts.Renew, cancellation, [.. arguments]))!;
        List<WorkItem> lost = [.. items.Where((_, i) => kept[i] == 0)];
        foreach (var item in lost)
            Release(item);
        return lost;
    }

    /// <summary>Reports an image's progress, with a preview if there is one. A report may get lost while Redis is unavailable.</summary>
    /// <returns>False if the image no longer belongs to this worker. Stop working on it.</returns>
    public Task<bool> ReportAsync(WorkItem item, int step, int steps, StoredImage? preview) =>
        WhileOwnedAsync(item, connection.RunAsync(QueueScripts.Report, CancellationToken.None,
            QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker, step, steps,
            preview is null ? RedisValue.EmptyString : (RedisValue)preview.Bytes,
            preview is null ? RedisValue.EmptyString : JobHash.Info(preview)));

    /// <summary>
    /// Stores an image's state, from which another worker can resume. A checkpoint may get lost while Redis is unavailable.
    /// </summary>
    /// <returns>False if the image no longer belongs to this worker. Stop working on it.</returns>
    public Task<bool> SaveCheckpointAsync(WorkItem item, int step, ReadOnlyMemory<byte> state) =>
        WhileOwnedAsync(item, connection.RunAfterAsync(
            database => database.StringSetAsync(
                connection.Keys.CheckpointUpload(item.Job.Id, item.Index, Worker), state, QueueConnection.UploadKept),
            QueueScripts.Checkpoint, QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker));

    async Task<bool> WhileOwnedAsync(WorkItem item, Task<RedisResult> call)
    {
        try
        {
            var mine = (int)await call == 1;
            if (!mine)
                Release(item);
            IsReachable = true;
            return mine;
        }
        catch (QueueUnavailableException)
        {
            IsReachable = false;
            return true; // Go on: the result can still be stored.
        }
        catch (RedisServerException exception)
        {
            LogDamaged(logger, item.Job.Id, item.Index, exception.Message);
            return true; // Storing the result fails in the same way and moves the entry to the dead letters.
        }
    }

    /// <summary>
    /// Stores the image and ends its entry, unless another worker was first. While Redis or the object store is unavailable, it waits and
    /// holds the result.
    /// </summary>
    /// <returns>Whether this call's image was stored.</returns>
    public async Task<bool> CompleteAsync(WorkItem item, CompletedImage image, CancellationToken cancellation)
    {
        var isFirst = await ReleaseAfterAsync(item, StoreAsync(item, image, cancellation));
        QueueTelemetry.Ended.Add(1, new KeyValuePair<string, object?>("how", isFirst ? "succeeded" : "second"));
        return isFirst;
    }

    /// <summary>Stores the image's object first, if there is an object store, and then the pointer to it.</summary>
    async Task<bool> StoreAsync(WorkItem item, CompletedImage image, CancellationToken cancellation)
    {
        var stored = image.Image;
        var result = new ImageResult(image.Steps, stored.Width, stored.Height, image.PromptCutOff, image.Flagged);
        var lane = QueueKeys.Lane(item.Lane);
        StoredObject? pointer = null;
        if (objects.Enabled)
        {
            var key = objects.NewImageKey(item.Job.Id, item.Index, stored.Format);
            pointer = await WhenStoreIsBackAsync(item, () => objects.WriteImageAsync(key, stored, cancellation), cancellation);
        }

        var bytes = pointer is null ? stored.Bytes : default;
        var upload = bytes.Length > StoredTogetherBytes ? Guid.NewGuid().ToString("N") : "";
        RedisValue[] fields =
        [
            item.Job.Id, item.Index, lane, item.EntryId, QueueJson.Write(result), JobHash.Info(stored, pointer),
            upload == "" ? bytes : RedisValue.EmptyString, upload,
        ];
        var isFirst = await EndAsync(async () =>
        {
            var storing = upload == "" ? completions.AddAsync(fields)
                : UploadAndCompleteAsync(connection.Keys.ImageUpload(item.Job.Id, item.Index, upload), bytes, fields);
            var reply = await storing.WaitAsync(cancellation);
            return reply.Resp2Type == ResultType.Integer ? (int)reply == 1 : throw QueueConnection.ToException((string)reply!);
        }, lane, item.EntryId, item.Job.Id, item.Index, "The result could not be stored.", cancellation);
        if (!isFirst && pointer is { } unused)
            await objects.TryDeleteAsync(unused.Key);
        return isFirst;
    }

    /// <summary>Repeats a call to the object store until it succeeds. Meanwhile this worker takes no new images.</summary>
    async Task<T> WhenStoreIsBackAsync<T>(WorkItem item, Func<Task<T>> call, CancellationToken cancellation)
    {
        var delay = RetryInterval;
        var isWaiting = false;
        try
        {
            while (true)
            {
                try
                {
                    return await call();
                }
                catch (ObjectStoreUnavailableException exception)
                {
                    LogWaitingForStore(logger, item.Index, item.Job.Id, exception.Message);
                }

                if (!isWaiting)
                    Interlocked.Increment(ref waitingForStore);
                isWaiting = true;
                await Task.Delay(delay, connection.Time, cancellation);
                delay = TimeSpan.FromTicks(Math.Min(2 * delay.Ticks, MaxStoreRetryInterval.Ticks));
            }
        }
        finally
        {
            if (isWaiting)
                Interlocked.Decrement(ref waitingForStore);
        }
    }

    /// <summary>
    /// Ends the image with an error, and its entry, unless it is final already or belongs to another worker. While Redis is unavailable,
    /// it waits.
    /// </summary>
    /// <returns>Whether this call's error was stored.</returns>
    public async Task<bool> FailAsync(WorkItem item, JobError error, CancellationToken cancellation)
    {
        var result = QueueJson.Write(new ImageResult(Error: error));
        var isFirst = await ReleaseAfterAsync(item, FailAsync(
            QueueKeys.Lane(item.Lane), item.EntryId, item.Job.Id, item.Index, result, error.Message, deadLetterReason: "", cancellation));
        QueueTelemetry.Ended.Add(1, new KeyValuePair<string, object?>("how", isFirst ? "failed" : "second"));
        return isFirst;
    }

    async Task<IReadOnlyList<RedisResult>> CompleteTogetherAsync(IReadOnlyList<RedisValue[]> images) =>
        (RedisResult[])(await connection.RunAsync(
            QueueScripts.Complete, CancellationToken.None, CompleteArguments(images.SelectMany(fields => fields))))!;

    async Task<RedisResult> UploadAndCompleteAsync(RedisKey upload, ReadOnlyMemory<byte> bytes, RedisValue[] fields) =>
        (await connection.RunAfterAsync(
            database => QueueConnection.UploadAsync(database, upload, [new(JobHash.ImageBytes, bytes)]),
            QueueScripts.Complete, CompleteArguments(fields)))[0];

    RedisValue[] CompleteArguments(IEnumerable<RedisValue> images) =>
        [connection.RetentionMilliseconds, QueueConnection.UnfinishedMilliseconds, Worker, .. images];

    /// <summary>Ends an image with an error. With a <paramref name="deadLetterReason"/>, its entry becomes a dead letter too.</summary>
    Task<bool> FailAsync(
        string lane, string entry, string jobId, int index, byte[] result, string reason, string deadLetterReason,
        CancellationToken cancellation) =>
        EndAsync(async () => (int)await connection.RunAsync(QueueScripts.Fail, cancellation,
            connection.RetentionMilliseconds, jobId, index, Worker, lane, entry, result, deadLetterReason) == 1,
            lane, entry, jobId, index, reason, cancellation);

    /// <summary>
    /// Repeats a call that ends an image until Redis has responded. If damaged data makes it fail, the entry becomes a dead letter.
    /// </summary>
    async Task<bool> EndAsync(
        Func<Task<bool>> end, string lane, string entry, string jobId, int index, string reason, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await end();
            }
            catch (QueueUnavailableException exception)
            {
                LogHolding(logger, jobId, index, exception.Message);
                await Task.Delay(RetryInterval, connection.Time, cancellation);
            }
            catch (Exception exception) when (exception is RedisServerException or InvalidDataException)
            {
                LogDamaged(logger, jobId, index, exception.Message);
                await connection.RunAsync(QueueScripts.DeadLetter, cancellation,
                    lane, entry, jobId, index, $"{reason} {exception.Message}");
                return false;
            }
        }
    }

    /// <summary>
    /// Hands images back, each with the state to resume from. The next worker with a free slot takes them, before new images.
    /// </summary>
    public async Task HandBackAsync(
        IReadOnlyCollection<(WorkItem Item, int Step, ReadOnlyMemory<byte> State)> items, CancellationToken cancellation)
    {
        await Task.WhenAll(items.Select(async back =>
        {
            var (item, step, state) = back;
            await ReleaseAfterAsync(item, connection.RunAsync(QueueScripts.HandBack, cancellation,
                QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker,
                QueueKeys.Lane(item.Lane), item.EntryId, item.Deliveries, step, state));
        }));
    }

    /// <summary>
    /// Releases an image after the call that ends it, even if that fails: then its lease runs out, and this worker may take it again too.
    /// </summary>
    async Task<T> ReleaseAfterAsync<T>(WorkItem item, Task<T> end)
    {
        try
        {
            return await end;
        }
        finally
        {
            Release(item);
        }
    }

    /// <summary>Whether images wait for the object store.</summary>
    internal bool WaitsForStore => Volatile.Read(ref waitingForStore) > 0;

    /// <summary>The state after a lost response, for tests.</summary>
    internal void ForgetAll()
    {
        held.Clear();
        responseLost = true;
    }

    void Release(WorkItem item) => held.TryRemove(KeyValuePair.Create(item.EntryId, item));

    static readonly byte[] Poisoned = Failure(JobErrorCodes.Poisoned,
        "The workers that generated this image crashed too often. An operator has to inspect it.");

    static readonly byte[] DeadlineExceeded = Failure(JobErrorCodes.DeadlineExceeded, "The deadline passed before a worker was free.");

    static readonly byte[] Unreadable = Failure(JobErrorCodes.Unreadable,
        "The stored request is damaged. An operator has to inspect it.");

    static byte[] Failure(string code, string message) => QueueJson.Write(new ImageResult(Error: new JobError(code, message)));

    [LoggerMessage(Level = LogLevel.Warning, Message = "Image {Index} of job {JobId} is damaged and becomes a dead letter: {Reason}")]
    static partial void LogDamaged(ILogger logger, string jobId, int index, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The result of image {Index} of job {JobId} is held until Redis is back: {Reason}")]
    static partial void LogHolding(ILogger logger, string jobId, int index, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Image {Index} of job {JobId} waits for the object store, and no new images are taken: {Reason}")]
    static partial void LogWaitingForStore(ILogger logger, int index, string jobId, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The input of image {Index} of job {JobId} is read again until Redis is back: {Reason}")]
    static partial void LogInputNotRead(ILogger logger, string jobId, int index, string reason);
}
