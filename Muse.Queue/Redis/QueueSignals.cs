using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Receives the signals for workers and the autoscaler: new work, images handed back, cancellations, drain requests, decisions.
/// </summary>
/// <remarks>A signal may get lost, so each subscriber also polls.</remarks>
sealed partial class QueueSignals(QueueConnection connection, ILogger<QueueSignals> logger) : IAsyncDisposable
{
    /// <summary>Work was added to the queue.</summary>
    public const string Work = "work";
    /// <summary>An image was handed back.</summary>
    public const string HandBack = "handback";
    /// <summary>The autoscaler stored a decision.</summary>
    public const string Decision = "decision";
    /// <summary>A job was cancelled; its id follows.</summary>
    public const string Cancel = "cancel ";
    /// <summary>A worker is asked to drain; its name follows.</summary>
    public const string Drain = "drain ";

    readonly CancellationTokenSource stopping = new();
    readonly SemaphoreSlim starting = new(1);
    readonly ConcurrentDictionary<Subscription, bool> subscriptions = new();
    Task? reading;

    TimeProvider Time => connection.Time;

    /// <summary>Waits for the signals that pass a filter. Remembers one signal that comes while no caller waits.</summary>
    public sealed class Subscription(QueueSignals signals, Func<string, bool> filter)
    {
        readonly SemaphoreSlim received = new(0, 1);

        internal void Signal(string signal)
        {
            if (!filter(signal))
                return;
            try
            {
                if (received.CurrentCount == 0)
                    received.Release();
            }
            catch (SemaphoreFullException) { } // Two signals at the same time. Remembering one is enough.
        }

        /// <summary>Completes at the next signal since the last call, or after <paramref name="atMost"/>.</summary>
        /// <returns>Whether there was a signal.</returns>
        public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellation)
        {
            if (received.Wait(0, CancellationToken.None))
                return true;
            await signals.StartAsync(cancellation);
            // The constructor's timer can't fire into a disposed source, as a timer of CancelAfter could.
            using var timeout = new CancellationTokenSource(atMost, signals.Time);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation, timeout.Token);
            try
            {
                await received.WaitAsync(limit.Token);
                return true;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    /// <summary>Adds a subscription.</summary>
    /// <param name="filter">Handles a signal and returns whether it ends the wait. Runs on the reading loop, so it must be fast.</param>
    public Subscription Subscribe(Func<string, bool> filter)
    {
        var subscription = new Subscription(this, filter);
        subscriptions[subscription] = true;
        return subscription;
    }

    /// <summary>Subscribes to the channel, unless that is done. While Redis is unavailable, callers rely on polling.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        if (reading is not null)
            return;
        await starting.WaitAsync(cancellation);
        try
        {
            if (reading is not null)
                return;
            var messages = await connection.SubscribeAsync(connection.Keys.Signals);
            // The loop must not run in the trace of the request that starts it.
            using (ExecutionContext.SuppressFlow())
                reading = Task.Run(() => ReadAsync(messages));
            connection.Restored += () => Publish(Work);
        }
        catch (QueueUnavailableException exception)
        {
            LogNotSubscribed(logger, exception.Message);
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
                Publish(message.Message.ToString());
        }
        catch (OperationCanceledException) { } // Disposed.
    }

    void Publish(string signal)
    {
        foreach (var (subscription, _) in subscriptions)
            subscription.Signal(signal);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (reading is not null)
            await reading;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The subscription to the queue's signals failed and is tried again: {Reason}")]
    static partial void LogNotSubscribed(ILogger logger, string reason);
}
