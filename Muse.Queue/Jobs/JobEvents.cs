using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Tells everyone in this process who waits for jobs: one subscription for all, and a sweep that makes good lost messages.</summary>
sealed partial class JobEvents(QueueConnection connection, ILogger<JobEvents> logger) : IAsyncDisposable
{
    /// <summary>A message that got lost is made good after at most this long.</summary>
    static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(2);
    const int SweepBatch = 500;

    /// <summary>Ends of jobs that nobody listened to, remembered for those whose waiting begins a moment later.</summary>
    const int EndsRemembered = 1024;

    readonly ConcurrentDictionary<string, Listeners> jobs = new();
    readonly CancellationTokenSource stopping = new();
    readonly SemaphoreSlim starting = new(1);
    readonly Ends ends = new();
    Task? reading, sweeping;

    /// <summary>How many wait now.</summary>
    public int Count => jobs.Count;

    /// <summary>Begins to listen. Read the job's state after this, so that no change falls between; for a job that was submitted here once <see cref="StartAsync"/> had returned, its end is told even if it came before.</summary>
    public async ValueTask<JobListener> ListenAsync(string jobId, bool finalOnly, CancellationToken cancellation)
    {
        await StartAsync(cancellation);
        while (true)
        {
            var listeners = jobs.GetOrAdd(jobId, static _ => new Listeners());
            var listener = new JobListener(this, jobId, finalOnly);
            if (listeners.Add(listener))
            {
                if (ends.Find(jobId) is var (revision, state))
                    listener.Tell(revision, state);
                return listener;
            }
            // The last listener of this job left between the two lines and took the set with it.
            jobs.TryRemove(KeyValuePair.Create(jobId, listeners));
        }
    }

    internal void Leave(JobListener listener)
    {
        if (jobs.TryGetValue(listener.JobId, out var listeners) && listeners.Remove(listener))
            jobs.TryRemove(KeyValuePair.Create(listener.JobId, listeners));
    }

    /// <summary>Subscribes, unless that is done.</summary>
    public ValueTask StartAsync(CancellationToken cancellation) => reading is null ? new(SubscribeAsync(cancellation)) : ValueTask.CompletedTask;

    async Task SubscribeAsync(CancellationToken cancellation)
    {
        await starting.WaitAsync(cancellation);
        try
        {
            if (reading is not null)
                return;
            var messages = await connection.SubscribeAsync(connection.Keys.Events);
            connection.Restored += () => _ = SweepAsync();
            sweeping = SweepAlwaysAsync();
            reading = ReadAsync(messages);
        }
        finally
        {
            starting.Release();
        }
    }

    async Task ReadAsync(ChannelMessageQueue messages)
    {
        try
        {
            await foreach (var message in messages.WithCancellation(stopping.Token))
                Hear(message.Message.ToString());
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    void Hear(string message)
    {
        var listening = jobs.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var line in message.AsSpan().EnumerateLines())
        {
            if (!Parse(line, out var id, out var revision, out var state))
                continue;
            if (listening.TryGetValue(id, out var listeners))
            {
                listeners.Tell(revision, state);
            }
            else if (state.IsFinal())
            {
                ends.Add(id.ToString(), revision, state);
                // Someone may have begun to listen after the look and before the end was remembered.
                if (listening.TryGetValue(id, out listeners))
                    listeners.Tell(revision, state);
            }
        }
    }

    static bool Parse(ReadOnlySpan<char> message, out ReadOnlySpan<char> id, out long revision, out JobState state)
    {
        (revision, state) = (0, default);
        var (first, last) = (message.IndexOf(' '), message.LastIndexOf(' '));
        id = first < 0 ? default : message[..first];
        if (first < 0 || last <= first)
            return false;
        if (!long.TryParse(message[(first + 1)..last], CultureInfo.InvariantCulture, out revision))
            return false;
        if (!int.TryParse(message[(last + 1)..], CultureInfo.InvariantCulture, out var number) || number is < 0 or > (int)JobState.Cancelled)
            return false;
        state = (JobState)number;
        return true;
    }

    async Task SweepAlwaysAsync()
    {
        using var timer = new PeriodicTimer(SweepInterval, connection.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
                await SweepAsync();
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    /// <summary>Asks Redis where the jobs stand that somebody waits for.</summary>
    internal async Task SweepAsync()
    {
        try
        {
            foreach (var chunk in jobs.Chunk(SweepBatch))
            {
                var reads = Array.ConvertAll(chunk, pair => connection.Database.HashGetAsync(connection.Keys.Job(pair.Key), RevisionAndState));
                await Task.WhenAll(reads);
                for (var i = 0; i < chunk.Length; i++)
                {
                    var values = reads[i].Result;
                    if (JobRecord.State(values[1]) is { } state && values[0].TryParse(out long revision))
                        chunk[i].Value.Tell(revision, state);
                    else
                        chunk[i].Value.Tell(long.MaxValue, JobState.Failed); // Gone: they look, and find nothing.
                }
            }
        }
        catch (Exception problem) when (problem is RedisException or TimeoutException or ObjectDisposedException)
        {
            SweepFailed(logger, problem.Message); // Redis is away; the next sweep or the restored connection makes it good.
        }
    }

    static readonly RedisValue[] RevisionAndState = ["revision", "state"];

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (reading is not null)
            await reading;
        if (sweeping is not null)
            await sweeping;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis did not say where the awaited jobs stand: {Reason}")]
    static partial void SweepFailed(ILogger logger, string reason);

    /// <summary>The last so many ends.</summary>
    sealed class Ends
    {
        readonly Dictionary<string, (long Revision, JobState State)> byJob = new(EndsRemembered);
        readonly Queue<string> order = new(EndsRemembered);

        public void Add(string jobId, long revision, JobState state)
        {
            lock (order)
            {
                if (!byJob.TryAdd(jobId, (revision, state)))
                    return;
                order.Enqueue(jobId);
                if (order.Count > EndsRemembered)
                    byJob.Remove(order.Dequeue());
            }
        }

        public (long Revision, JobState State)? Find(string jobId)
        {
            lock (order)
                return byJob.TryGetValue(jobId, out var end) ? end : null;
        }
    }

    /// <summary>Those who wait for one job.</summary>
    sealed class Listeners
    {
        readonly HashSet<JobListener> members = [];
        bool closed;

        public bool Add(JobListener listener)
        {
            lock (members)
                return !closed && members.Add(listener);
        }

        public bool Remove(JobListener listener)
        {
            lock (members)
            {
                members.Remove(listener);
                return closed = members.Count == 0;
            }
        }

        public void Tell(long revision, JobState state)
        {
            lock (members)
            {
                foreach (var listener in members)
                    listener.Tell(revision, state);
            }
        }
    }
}

/// <summary>Waits for one job's changes. Dispose it to leave.</summary>
sealed class JobListener(JobEvents events, string jobId, bool finalOnly) : IDisposable
{
    readonly Lock gate = new();
    TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long told;

    public string JobId => jobId;

    internal void Tell(long revision, JobState state)
    {
        if (finalOnly && !state.IsFinal())
            return;
        lock (gate)
        {
            // Not "newer than": a Redis that lost its last second counts on from an earlier revision.
            if (revision == told && !state.IsFinal())
                return;
            told = revision;
            changed.TrySetResult();
        }
    }

    /// <summary>Completes once the job has changed since the last call.</summary>
    public async Task ChangedAsync(CancellationToken cancellation)
    {
        await changed.Task.WaitAsync(cancellation);
        lock (gate)
            changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Dispose() => events.Leave(this);
}
