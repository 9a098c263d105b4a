using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>Crashes of a Redis that syncs its append-only file every second, and what they took.</summary>
/// <remarks>
/// A process that is killed leaves behind what the system had already, so little or nothing is lost. A machine that loses its power takes
/// what was not synced:
/// that is done by hand here, by cutting the file back to its length of at most a second before.
/// </remarks>
sealed class LastSecond : IAsyncDisposable
{
    /// <summary>What Redis promises to have synced.</summary>
    static readonly TimeSpan Unsynced = TimeSpan.FromSeconds(1);
    /// <summary>How long Redis holds back what it writes to the file while the sync before it goes on.</summary>
    static readonly TimeSpan Postponed = TimeSpan.FromSeconds(2);
    /// <summary>A vanished job must have been accepted this short a time before the crash.</summary>
    public static readonly TimeSpan Tolerance = Unsynced + Postponed;

    readonly RedisServer redis;
    readonly QueueFixture.Program reader;
    readonly CancellationTokenSource stopping = new();
    readonly List<(DateTimeOffset At, long Length)> lengths = [];
    readonly List<DateTimeOffset> crashes = [];
    readonly HashSet<string> vanished = [];
    readonly Task watching;

    public LastSecond(RedisServer redis, QueueFixture.Program reader)
    {
        (this.redis, this.reader) = (redis, reader);
        watching = WatchAsync();
    }

    /// <summary>Ids that were accepted and are no more.</summary>
    public IReadOnlySet<string> Vanished => vanished;
    /// <summary>Bytes of the append-only file that were cut off.</summary>
    public long BytesCut { get; private set; }
    /// <summary>The longest time between a vanished job's acceptance and the crash that took it.</summary>
    public TimeSpan Longest { get; private set; }

    async Task WatchAsync()
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
    /// Kills Redis, takes what was not synced if the power is lost too, starts it again and looks which of the accepted jobs are gone.
    /// </summary>
    public async Task CrashAsync(bool powerLost, Func<IReadOnlyCollection<Wish>> accepted)
    {
        var at = TimeProvider.System.GetUtcNow();
        await redis.KillAsync();
        crashes.Add(at);
        lock (lengths)
        {
            var file = redis.AppendOnlyFile;
            // On a busy machine lengths are seen seldom: the next is taken, as the one before may be of long ago.
            if (powerLost && lengths.Find(length => length.At >= at - Unsynced) is { Length: > 0 } synced && synced.Length < file.Length)
            {
                BytesCut += file.Length - synced.Length;
                using var open = file.OpenWrite();
                open.SetLength(synced.Length);
            }
            lengths.Clear();
            lengths.Add((DateTimeOffset.MinValue, redis.AppendOnlyFile.Length)); // What it begins with is on the disk.
        }
        await redis.LaunchAsync();
        var before = accepted().Where(wish => !vanished.Contains(wish.JobId!)).ToList();
        var found = await EventuallyAsync(async () =>
        {
            try
            {
                return await Task.WhenAll(before.Select(wish => reader.Jobs.FindAsync(wish.JobId!, Limit())));
            }
            catch (QueueUnavailableException)
            {
                return null; // Not connected again.
            }
        }, answers => answers is not null);
        foreach (var wish in before.Where((_, i) => found![i] is null))
        {
            vanished.Add(wish.JobId!);
            var age = at - wish.AcceptedAt;
            if (age > Longest)
                Longest = age;
            Assert.True(age <= Tolerance, $"{wish.JobId} was accepted {age.TotalSeconds:0.00} s before the crash that took it.");
        }
    }

    /// <summary>
    /// Whether a crash has taken this job that is no more; also one whose client heard of its acceptance only after the crash.
    /// </summary>
    public bool Explains(Wish wish) =>
        vanished.Contains(wish.JobId!) || crashes.Any(at => at <= wish.AcceptedAt && wish.AcceptedAt <= at + Tolerance)
            && vanished.Add(wish.JobId!);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await watching;
        stopping.Dispose();
    }
}
