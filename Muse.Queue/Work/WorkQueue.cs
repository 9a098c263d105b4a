using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The queue as a worker sees it: read, renew, report, finish, hand back.</summary>
public sealed partial class WorkQueue
{
    /// <summary>Most pictures taken at once.</summary>
    const int ReadAtMost = 12;

    /// <summary>Pictures up to so many bytes are stored together; with larger ones the call itself costs nothing beside the bytes.</summary>
    const int StoredTogetherBytes = 32 * 1024;

    /// <summary>Between two tries to write a result while Redis is away.</summary>
    static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    readonly QueueConnection connection;
    readonly QueueCalls calls;
    readonly QueueCalls.Ear ear;
    readonly ILogger logger;
    readonly ConcurrentDictionary<string, WorkItem> held = new();
    readonly GroupCommit<RedisValue[], RedisResult> completions;
    readonly Channel<string> cancellations = Channel.CreateBounded<string>(new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropOldest });
    long taken, lookedForAbandoned;
    volatile bool answerLost, handedBack;

    internal WorkQueue(QueueConnection connection, QueueCalls calls, ILogger<WorkQueue> logger)
    {
        (this.connection, this.calls, this.logger) = (connection, calls, logger);
        ear = calls.Listen(Heeds);
        completions = new(CompleteTogetherAsync, ReadAtMost);
    }

    /// <summary>This worker's name, unique to the process: its consumer in the group and its <see cref="WorkerHeartbeat.Worker"/>.</summary>
    public string Worker { get; } = $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>Ids of jobs that were cancelled, as they are called out. Best effort: <see cref="RenewAsync"/> and <see cref="ReportAsync"/> tell for certain.</summary>
    public ChannelReader<string> Cancellations => cancellations.Reader;

    /// <summary>Whether the last thing that was told reached Redis.</summary>
    public bool IsReachable { get; private set; } = true;

    bool Heeds(string call)
    {
        if (call.StartsWith("cancel ", StringComparison.Ordinal))
            cancellations.Writer.TryWrite(call["cancel ".Length..]);
        if (call == "handback")
            handedBack = true;
        return call is "work" or "handback" || call == $"drain {Worker}";
    }

    /// <summary>Takes up to <paramref name="max"/> pictures (12 at a time): those of dead workers first, then new ones, interactive before batch. Never blocks; malformed entries go to the dead letters, cancelled and expired ones are ended, and neither is returned.</summary>
    /// <exception cref="QueueUnavailableException">Redis can't be reached. What it may have delivered is asked for again by the next call.</exception>
    public async Task<IReadOnlyList<WorkItem>> ReadAsync(int max, CancellationToken cancellation)
    {
        max = Math.Min(max, ReadAtMost);
        if (max <= 0)
            return [];
        var recover = answerLost;
        var arguments = new List<RedisValue>
        {
            connection.RetentionMilliseconds, Worker, max, LanePolicy.BatchShare(taken, max),
            (long)connection.Options.Lease.TotalMilliseconds, connection.Options.MaxDeliveries,
            LooksForAbandoned() || recover ? 1 : 0, recover ? 1 : 0,
            Poisoned, DeadlineExceeded, Unreadable, QueueJson.MaxJobBytes,
        };
        arguments.AddRange(held.Keys.Select(entry => (RedisValue)entry));
        RedisResult[] rows;
        try
        {
            rows = (RedisResult[])(await connection.RunAsync(QueueScripts.Take, CancellationToken.None, [.. arguments]))!;
            answerLost = false;
        }
        catch (QueueUnavailableException)
        {
            answerLost = true;
            throw;
        }
        var items = new List<WorkItem>(rows.Length);
        foreach (var row in rows)
        {
            if (await AcceptAsync((RedisResult[])row!) is { } item)
                items.Add(item);
        }

        taken += items.Count;
        return items;
    }

    /// <summary>Looks for pictures of dead workers every tenth of a lease, and when some were handed back.</summary>
    bool LooksForAbandoned()
    {
        var now = connection.Time.GetTimestamp();
        var due = handedBack || lookedForAbandoned == 0 || connection.Time.GetElapsedTime(lookedForAbandoned, now) > connection.Options.Lease / 10;
        if (!due)
            return false;
        (handedBack, lookedForAbandoned) = (false, now);
        return true;
    }

    /// <summary>The item of a row, or null when its job can't be read: then it is buried.</summary>
    async Task<WorkItem?> AcceptAsync(RedisResult[] row)
    {
        var (lane, entry, deliveries, jobId, index) = ((string)row[0]!, (string)row[1]!, (int)row[2], (string)row[3]!, (int)row[4]);
        var job = QueueJson.ReadJob((RedisValue)row[5], out var reason);
        if (job is not null && job.Id != jobId)
            reason = "The job says that it is another.";
        else if (job is not null && index >= job.Count)
            reason = "The job has no such picture.";
        if (job is null || reason != "")
        {
            Damaged(logger, jobId, index, reason);
            await FailAsync(lane, entry, jobId, index, Unreadable, reason, reason, CancellationToken.None);
            return null;
        }
        var item = new WorkItem(entry, job, index, deliveries, (byte[])row[6]!)
        {
            Lane = lane == "interactive" ? JobPriority.Interactive : JobPriority.Batch,
            StartedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)row[7]),
        };
        held[Key(item)] = item;
        QueueTelemetry.Taken.Add(1, new KeyValuePair<string, object?>("first", deliveries == 1));
        QueueTelemetry.Waited.Record(Math.Max(0, (item.StartedAt - job.CreatedAt).TotalSeconds));
        return item;
    }

    /// <summary>Completes when something was added since the last call, or after the safety poll.</summary>
    public Task WaitForWorkAsync(CancellationToken cancellation) => ear.WaitAsync(connection.Options.SafetyPoll, cancellation);

    /// <summary>Keeps the leases of the pictures in work.</summary>
    /// <returns>Those that are no longer this worker's (taken over, cancelled, final): stop painting them.</returns>
    public async Task<IReadOnlyList<WorkItem>> RenewAsync(IReadOnlyCollection<WorkItem> items, CancellationToken cancellation)
    {
        if (items.Count == 0)
            return [];
        var arguments = new List<RedisValue> { QueueConnection.UnfinishedMilliseconds, Worker };
        foreach (var item in items)
            arguments.AddRange([JobQueue.Lane(item.Lane), item.EntryId, item.Job.Id, item.Index]);
        var kept = (int[])(await connection.RunAsync(QueueScripts.Renew, cancellation, [.. arguments]))!;
        List<WorkItem> lost = [.. items.Where((_, i) => kept[i] == 0)];
        foreach (var item in lost)
            Release(item);
        return lost;
    }

    /// <summary>Tells how far a picture is, with a preview if there is one. May be lost; never throws for Redis being away.</summary>
    /// <returns>False when the picture is no longer this worker's: stop painting it.</returns>
    public Task<bool> ReportAsync(WorkItem item, int step, int steps, StoredPicture? preview) =>
        WhileOwnedAsync(QueueScripts.Report, item, QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker, step, steps,
            preview is null ? RedisValue.EmptyString : (RedisValue)preview.Bytes, preview is null ? RedisValue.EmptyString : JobRecord.Info(preview));

    /// <summary>Keeps a picture's state, from which another worker can go on. May be lost; never throws for Redis being away.</summary>
    /// <returns>False when the picture is no longer this worker's: stop painting it.</returns>
    public Task<bool> SaveCheckpointAsync(WorkItem item, int step, ReadOnlyMemory<byte> state) =>
        WhileOwnedAsync(QueueScripts.Checkpoint, item, QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker, state);

    async Task<bool> WhileOwnedAsync(QueueScript script, WorkItem item, params RedisValue[] arguments)
    {
        try
        {
            var mine = (int)await connection.RunAsync(script, CancellationToken.None, arguments) == 1;
            if (!mine)
                Release(item);
            IsReachable = true;
            return mine;
        }
        catch (QueueUnavailableException)
        {
            IsReachable = false;
            return true; // Paint on: the result is what counts.
        }
        catch (RedisServerException problem)
        {
            Damaged(logger, item.Job.Id, item.Index, problem.Message);
            return true; // Storing the result will find the same and bury it.
        }
    }

    /// <summary>Writes the picture and acknowledges its entry, unless another worker was first. Waits for a Redis that is away, holding the result.</summary>
    /// <returns>Whether this call's picture is the one that counts.</returns>
    public async Task<bool> CompleteAsync(WorkItem item, FinishedPicture picture, CancellationToken cancellation)
    {
        var result = QueueJson.Write(new PictureResult(picture.Steps, picture.Picture.Width, picture.Picture.Height, picture.PromptCutOff, picture.Flagged));
        RedisValue[] fields = [item.Job.Id, item.Index, JobQueue.Lane(item.Lane), item.EntryId, result, JobRecord.Info(picture.Picture), picture.Picture.Bytes];
        var counts = await EndAsync(async () =>
        {
            var storing = picture.Picture.Bytes.Length > StoredTogetherBytes ? CompleteAloneAsync(fields) : completions.AddAsync(fields);
            var answer = await storing.WaitAsync(cancellation);
            return answer.Resp2Type == ResultType.Integer ? (int)answer == 1 : throw QueueConnection.Refusal((string)answer!);
        }, JobQueue.Lane(item.Lane), item.EntryId, item.Job.Id, item.Index, "The result could not be stored.", cancellation);
        Release(item);
        QueueTelemetry.Ended.Add(1, new KeyValuePair<string, object?>("how", counts ? "succeeded" : "second"));
        return counts;
    }

    /// <summary>Ends the picture with an error and acknowledges its entry, unless it is final already or another worker has it now. Waits for a Redis that is away.</summary>
    public async Task<bool> FailAsync(WorkItem item, JobError error, CancellationToken cancellation)
    {
        var counts = await FailAsync(JobQueue.Lane(item.Lane), item.EntryId, item.Job.Id, item.Index, QueueJson.Write(new PictureResult(Error: error)), error.Message, "", cancellation);
        Release(item);
        QueueTelemetry.Ended.Add(1, new KeyValuePair<string, object?>("how", counts ? "failed" : "second"));
        return counts;
    }

    async Task<RedisResult> CompleteAloneAsync(RedisValue[] fields) => (await CompleteTogetherAsync([fields]))[0];

    async Task<IReadOnlyList<RedisResult>> CompleteTogetherAsync(IReadOnlyList<RedisValue[]> pictures) =>
        (RedisResult[])(await connection.RunAsync(QueueScripts.Complete, CancellationToken.None,
            [connection.RetentionMilliseconds, QueueConnection.UnfinishedMilliseconds, Worker, .. pictures.SelectMany(fields => fields)]))!;

    /// <summary>Ends a picture with an error; what <paramref name="buried"/> says, unless it is empty, goes with its entry to the dead letters.</summary>
    Task<bool> FailAsync(string lane, string entry, string jobId, int index, byte[] result, string reason, string buried, CancellationToken cancellation) =>
        EndAsync(async () => (int)await connection.RunAsync(QueueScripts.Fail, cancellation, connection.RetentionMilliseconds, jobId, index, Worker, lane, entry, result, buried) == 1,
            lane, entry, jobId, index, reason, cancellation);

    /// <summary>Does what ends a picture until Redis has answered; buries what its job's damage makes fail.</summary>
    async Task<bool> EndAsync(Func<Task<bool>> end, string lane, string entry, string jobId, int index, string reason, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await end();
            }
            catch (QueueUnavailableException problem)
            {
                Holding(logger, jobId, index, problem.Message);
                await Task.Delay(RetryInterval, connection.Time, cancellation);
            }
            catch (Exception problem) when (problem is RedisServerException or InvalidDataException)
            {
                Damaged(logger, jobId, index, problem.Message);
                await connection.RunAsync(QueueScripts.Bury, cancellation, lane, entry, jobId, index, $"{reason} {problem.Message}");
                return false;
            }
        }
    }

    /// <summary>Gives pictures back, each with the state to go on from, to be taken at once by whoever has room. They keep their place before all new ones.</summary>
    public async Task HandBackAsync(IReadOnlyCollection<(WorkItem Item, int Step, ReadOnlyMemory<byte> State)> items, CancellationToken cancellation)
    {
        await Task.WhenAll(items.Select(async back =>
        {
            var (item, step, state) = back;
            await connection.RunAsync(QueueScripts.HandBack, cancellation, QueueConnection.UnfinishedMilliseconds, item.Job.Id, item.Index, Worker,
                JobQueue.Lane(item.Lane), item.EntryId, item.Deliveries, step, state);
            Release(item);
        }));
    }

    /// <summary>As after an answer that got lost: for tests of what follows.</summary>
    internal void ForgetAll()
    {
        held.Clear();
        answerLost = true;
    }

    void Release(WorkItem item) => held.TryRemove(KeyValuePair.Create(Key(item), item));

    static string Key(WorkItem item) => item.EntryId;

    static readonly byte[] Poisoned = QueueJson.Write(new PictureResult(Error: new JobError(JobErrorCodes.Poisoned,
        "The workers that painted this picture crashed too often; it was put aside for the operator to look at.")));
    static readonly byte[] DeadlineExceeded = QueueJson.Write(new PictureResult(Error: new JobError(JobErrorCodes.DeadlineExceeded,
        "The deadline passed before a worker was free.")));
    static readonly byte[] Unreadable = QueueJson.Write(new PictureResult(Error: new JobError(JobErrorCodes.Unreadable,
        "The stored request is damaged; it was put aside for the operator to look at.")));

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {JobId}, picture {Index}, is damaged and goes to the dead letters: {Reason}")]
    static partial void Damaged(ILogger logger, string jobId, int index, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Holding the result of job {JobId}, picture {Index}, until Redis is back: {Reason}")]
    static partial void Holding(ILogger logger, string jobId, int index, string reason);
}
