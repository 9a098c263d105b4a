using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Notifies all listeners of this process of changes of jobs. One subscription serves them all; a periodic sweep replaces lost messages.
/// </summary>
sealed partial class JobEvents(QueueConnection connection, ILogger<JobEvents> logger) : IAsyncDisposable
{
    /// <summary>A lost message is noticed after at most this long.</summary>
    static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(2);
    const int SweepBatch = 500;

    /// <summary>Ends of jobs without a listener, kept for listeners that are added a moment later.</summary>
    const int MaxRecentEnds = 1024;

    readonly ConcurrentDictionary<string, Listeners> jobs = new();
    readonly CancellationTokenSource stopping = new();
    readonly SemaphoreSlim starting = new(1);
    readonly RecentEnds recentEnds = new();
    Task? reading, sweeping;

    /// <summary>The number of jobs with listeners.</summary>
    public int Count => jobs.Count;

    /// <summary>
    /// Adds a listener. Read the job's state afterwards, so that no change is missed. For a job that this process submitted after
    /// <see cref="StartAsync"/> had returned, the end is reported even if it came before the call.
    /// </summary>
    public async ValueTask<JobListener> ListenAsync(string jobId, bool finalOnly, CancellationToken cancellation)
    {
        await StartAsync(cancellation);
        while (true)
        {
            var listeners = jobs.GetOrAdd(jobId, static _ => new Listeners());
            var listener = new JobListener(this, jobId, finalOnly);
            if (listeners.Add(listener))
            {
                if (recentEnds.Find(jobId) is var (revision, state))
                    listener.Notify(revision, state);
                return listener;
            }
            // The last listener was removed between the two lines, which closed the set.
            jobs.TryRemove(KeyValuePair.Create(jobId, listeners));
        }
    }

    internal void Remove(JobListener listener)
    {
        if (jobs.TryGetValue(listener.JobId, out var listeners) && listeners.Remove(listener))
            jobs.TryRemove(KeyValuePair.Create(listener.JobId, listeners));
    }

    /// <summary>Subscribes to the channel, unless that is done.</summary>
    public ValueTask StartAsync(CancellationToken cancellation) =>
        reading is null ? new(SubscribeAsync(cancellation)) : ValueTask.CompletedTask;

    async Task SubscribeAsync(CancellationToken cancellation)
    {
        await starting.WaitAsync(cancellation);
        try
        {
            if (reading is not null)
                return;
            var messages = await connection.SubscribeAsync(connection.Keys.Events);
            connection.Restored += () => _ = SweepAsync();
            // The first listener starts them in the context of its request. Its trace must not get their commands.
            using (ExecutionContext.SuppressFlow())
            {
                sweeping = Task.Run(SweepPeriodicallyAsync);
                reading = Task.Run(() => ReadAsync(messages));
            }
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
                Dispatch(message.Message.ToString());
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    void Dispatch(string message)
    {
        var listening = jobs.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var line in message.AsSpan().EnumerateLines())
        {
            if (!Parse(line, out var id, out var revision, out var state))
                continue;
            if (listening.TryGetValue(id, out var listeners))
            {
                listeners.Notify(revision, state);
            }
            else if (state.IsFinal())
            {
                recentEnds.Add(id.ToString(), revision, state);
                // A listener may have been added after the lookup and before the end was stored.
                if (listening.TryGetValue(id, out listeners))
                    listeners.Notify(revision, state);
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
        if (!int.TryParse(message[(last + 1)..], CultureInfo.InvariantCulture, out var number))
            return false;
        if (number is < 0 or > (int)JobState.Cancelled)
            return false;
        state = (JobState)number;
        return true;
    }

    async Task SweepPeriodicallyAsync()
    {
        using var timer = new PeriodicTimer(SweepInterval, connection.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
                await SweepAsync();
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    /// <summary>Reads the state of all jobs with listeners from Redis.</summary>
    internal async Task SweepAsync()
    {
        try
        {
            foreach (var chunk in jobs.Chunk(SweepBatch))
            {
                var reads = Array.ConvertAll(chunk, pair =>
                    connection.Database.HashGetAsync(connection.Keys.Job(pair.Key), RevisionAndState));
                await Task.WhenAll(reads);
                for (var i = 0; i < chunk.Length; i++)
                {
                    var values = reads[i].Result;
                    if (JobHash.State(values[1]) is { } state && values[0].TryParse(out long revision))
                        chunk[i].Value.Notify(revision, state);
                    else
                        chunk[i].Value.Notify(long.MaxValue, JobState.Failed); // The job is gone. The listener reads it and finds nothing.
                }
            }
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            LogSweepFailed(logger, exception.Message); // The next sweep or the restored connection tries again.
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "The state of the awaited jobs could not be read and is read again soon: {Reason}")]
    static partial void LogSweepFailed(ILogger logger, string reason);

    /// <summary>The last ends of jobs without a listener.</summary>
    sealed class RecentEnds
    {
        readonly Dictionary<string, (long Revision, JobState State)> byJob = new(MaxRecentEnds);
        readonly Queue<string> order = new(MaxRecentEnds);

        public void Add(string jobId, long revision, JobState state)
        {
            lock (order)
            {
                if (!byJob.TryAdd(jobId, (revision, state)))
                    return;
                order.Enqueue(jobId);
                if (order.Count > MaxRecentEnds)
                    byJob.Remove(order.Dequeue());
            }
        }

        public (long Revision, JobState State)? Find(string jobId)
        {
            lock (order)
                return byJob.TryGetValue(jobId, out var end) ? end : null;
        }
    }

    /// <summary>The listeners of one job. Closed once the last one is removed.</summary>
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

        public void Notify(long revision, JobState state)
        {
            lock (members)
            {
                foreach (var listener in members)
                    listener.Notify(revision, state);
            }
        }
    }
}
