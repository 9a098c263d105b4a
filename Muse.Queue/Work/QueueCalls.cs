using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Hears what is called out to workers and to the autoscaler: new work, pictures handed back, cancellations, drain requests, decisions.</summary>
/// <remarks>A call may get lost; whoever waits for one looks for itself after a while.</remarks>
sealed partial class QueueCalls(QueueConnection connection, ILogger<QueueCalls> logger) : IAsyncDisposable
{
    readonly CancellationTokenSource stopping = new();
    readonly SemaphoreSlim starting = new(1);
    readonly ConcurrentDictionary<Ear, bool> ears = new();
    Task? reading;

    TimeProvider Time => connection.Time;

    /// <summary>Something that waits for calls of some kinds; keeps one in mind while nobody waits.</summary>
    public sealed class Ear(QueueCalls calls, Func<string, bool> heeds)
    {
        readonly SemaphoreSlim heard = new(0, 1);

        internal void Tell(string call)
        {
            if (!heeds(call))
                return;
            try
            {
                if (heard.CurrentCount == 0)
                    heard.Release();
            }
            catch (SemaphoreFullException) { } // Two calls at once: one is kept in mind, which is enough.
        }

        /// <summary>Completes at the next call since the last time, or after <paramref name="atMost"/>.</summary>
        /// <returns>Whether there was a call.</returns>
        public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellation)
        {
            if (heard.Wait(0, CancellationToken.None))
                return true;
            await calls.EnsureAsync(cancellation);
            // A timer of one's own could still fire once its source is disposed, and end the process; this one can't.
            using var patience = new CancellationTokenSource(atMost, calls.Time);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
            try
            {
                await heard.WaitAsync(limit.Token);
                return true;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    /// <summary>Someone who listens from now on.</summary>
    /// <param name="heeds">Which calls wake it; runs on the reader, so be quick.</param>
    public Ear Listen(Func<string, bool> heeds)
    {
        var ear = new Ear(this, heeds);
        ears[ear] = true;
        return ear;
    }

    /// <summary>Subscribes if it is not done yet; while Redis is away, callers live on their safety polls.</summary>
    public async Task EnsureAsync(CancellationToken cancellation)
    {
        if (reading is not null)
            return;
        await starting.WaitAsync(cancellation);
        try
        {
            if (reading is not null)
                return;
            reading = ReadAsync(await connection.SubscribeAsync(connection.Keys.Calls));
            connection.Restored += () => Tell("work");
        }
        catch (QueueUnavailableException problem)
        {
            NotListening(logger, problem.Message);
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
                Tell(message.Message.ToString());
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    void Tell(string call)
    {
        foreach (var (ear, _) in ears)
            ear.Tell(call);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (reading is not null)
            await reading;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not listening for calls yet: {Reason}")]
    static partial void NotListening(ILogger logger, string reason);
}
