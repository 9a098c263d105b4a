using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>Crashes a Redis that syncs its append-only file every second, and records the jobs that this loses.</summary>
/// <remarks>
/// Killing the process loses little: the operating system has most of what Redis wrote. A loss of power also loses what was not synced.
/// It is simulated by truncating the file to its length of at most one second before.
/// </remarks>
sealed class RedisCrashes : IAsyncDisposable
{
    /// <summary>Redis syncs the file after this time.</summary>
    static readonly TimeSpan Unsynced = TimeSpan.FromSeconds(1);
    /// <summary>Redis delays its writes this long while an earlier sync is running.</summary>
    static readonly TimeSpan WriteDelay = TimeSpan.FromSeconds(2);
    /// <summary>A lost job must have been accepted within this time before the crash.</summary>
    static readonly TimeSpan Tolerance = Unsynced + WriteDelay;

    readonly RedisServer redis;
    readonly QueueFixture.Program reader;
    readonly CancellationTokenSource stopping = new();
    readonly List<(DateTimeOffset At, long Length)> lengths = [];
    readonly List<DateTimeOffset> crashes = [];
    readonly HashSet<string> lost = [], survivors = []; // Ids of jobs.
    readonly Task recording;

    public RedisCrashes(RedisServer redis, QueueFixture.Program reader)
    {
        (this.redis, this.reader) = (redis, reader);
        recording = RecordLengthsAsync();
    }

    /// <summary>Bytes by which the append-only file was truncated.</summary>
    public long TruncatedBytes { get; private set; }
    /// <summary>The longest time between a lost job's acceptance and the crash.</summary>
    public TimeSpan LongestAge { get; private set; }

    async Task RecordLengthsAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                lock (lengths)
                {
                    lengths.Add((TimeProvider.System.GetUtcNow(), redis.AppendOnlyFile.Length));
                    if (lengths.Count > 2000)
                        lengths.RemoveRange(0, 1000);
                }
            }
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    /// <summary>
    /// Kills Redis, truncates its file if the power is lost too, starts it again, and records which accepted jobs are lost.
    /// </summary>
    public async Task CrashAsync(bool powerLost, Func<IReadOnlyCollection<ClientRequest>> accepted)
    {
        var at = TimeProvider.System.GetUtcNow();
        await redis.KillAsync();
        crashes.Add(at);
        lock (lengths)
        {
            var file = redis.AppendOnlyFile;
            // On a busy machine few lengths are recorded. The first one within the second is taken: an earlier one may be much older.
            if (powerLost && lengths.Find(length => length.At >= at - Unsynced) is { Length: > 0 } synced && synced.Length < file.Length)
            {
                TruncatedBytes += file.Length - synced.Length;
                using var open = file.OpenWrite();
                open.SetLength(synced.Length);
            }
            lengths.Clear();
            lengths.Add((DateTimeOffset.MinValue, redis.AppendOnlyFile.Length)); // The file is on the disk when Redis starts.
        }
        var launch = TimeProvider.System.GetUtcNow();
        await redis.LaunchAsync();
        var before = accepted().Where(request => !lost.Contains(request.JobId!)).ToList();
        var found = await EventuallyAsync(async () =>
        {
            try
            {
                return await Task.WhenAll(before.Select(request => reader.Jobs.FindAsync(request.JobId!, Limit())));
            }
            catch (QueueUnavailableException)
            {
                return null; // Not connected yet.
            }
        }, snapshots => snapshots is not null);
        foreach (var request in before.Where((_, i) => found![i] is null))
        {
            lost.Add(request.JobId!);
            Assert.False(survivors.Contains(request.JobId!), $"{request.JobId} is lost, although it had survived an earlier crash.");
            if (WasAcceptedDuringACrash(request))
                continue;
            var age = at - request.AcceptedAt;
            if (age > LongestAge)
                LongestAge = age;
            Assert.True(age <= Tolerance, $"{request.JobId} was accepted {age.TotalSeconds:0.00} s before the crash that lost it. Crashes: "
                + string.Join(", ", crashes.Select(crash => $"{(crash - request.AcceptedAt).TotalSeconds:0.00} s")));
        }
        // What Redis had at its launch was in its file.
        survivors.UnionWith(before.Where((request, i) => found![i] is not null && request.AcceptedAt < launch)
            .Select(request => request.JobId!));
    }

    /// <summary>Whether a crash may have lost this job.</summary>
    public bool MayHaveLost(ClientRequest request) =>
        lost.Contains(request.JobId!)
        || (!survivors.Contains(request.JobId!) && WasAcceptedDuringACrash(request) && lost.Add(request.JobId!));

    /// <summary>Whether the client received the acceptance only after a crash, the last one or one before.</summary>
    bool WasAcceptedDuringACrash(ClientRequest request) =>
        crashes.Any(crash => crash <= request.AcceptedAt && request.AcceptedAt <= crash + Tolerance);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await recording;
        stopping.Dispose();
    }
}
