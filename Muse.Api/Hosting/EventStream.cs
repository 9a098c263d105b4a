using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>A stream of server-sent events to one client. One writer at a time.</summary>
/// <remarks>Specified by the HTML standard, section "Server-sent events".</remarks>
public sealed class EventStream : IAsyncDisposable
{
    readonly PipeWriter pipe;
    readonly Utf8JsonWriter json;
    readonly TimeSpan keepAlive;
    readonly TimeProvider time;
    readonly CancellationToken hangup;
    long lastSent;

    EventStream(PipeWriter pipe, TimeSpan keepAlive, TimeProvider time, CancellationToken hangup)
    {
        (this.pipe, this.keepAlive, this.time, this.hangup) = (pipe, keepAlive, time, hangup);
        json = new(pipe);
    }

    /// <summary>Begins the answer; its headers go out with the first event or comment.</summary>
    public static EventStream Begin(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        // Nginx would hold events back otherwise.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        var services = context.RequestServices;
        return new(context.Response.BodyWriter, services.GetRequiredService<IOptions<ApiOptions>>().Value.KeepAlive, services.GetRequiredService<TimeProvider>(), context.RequestAborted);
    }

    /// <summary>Sends an event whose data is an object.</summary>
    public Task SendAsync<T>(string name, long? id, T data, JsonTypeInfo<T> type) => SendAsync(name, id, writer =>
    {
        JsonSerializer.Serialize(writer, data, type);
        return ValueTask.CompletedTask;
    });

    /// <summary>Sends an event whose data is written as one JSON value.</summary>
    public async Task SendAsync(string name, long? id, Func<Utf8JsonWriter, ValueTask> write)
    {
        Text(id is null ? $"event: {name}\ndata: " : $"id: {id}\nevent: {name}\ndata: ");
        json.Reset();
        await write(json);
        await json.FlushAsync(hangup);
        Text("\n\n");
        await FlushAsync();
    }

    /// <summary>Sends an event whose data is JSON text already.</summary>
    public async Task SendAsync(string name, ReadOnlyMemory<byte> data)
    {
        Text($"event: {name}\ndata: ");
        await pipe.WriteAsync(data, hangup);
        Text("\n\n");
        await FlushAsync();
    }

    /// <summary>Passes a sequence on, with a null between whenever <paramref name="pause"/> goes by without an item. Begins with a comment, so that the client sees the stream open.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="pause">How long to wait for an item.</param>
    public async IAsyncEnumerable<T?> WithPauses<T>(IAsyncEnumerable<T> source, TimeSpan pause) where T : class
    {
        await CommentAsync();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(hangup);
        using var timer = new PeriodicTimer(pause, time);
        var items = source.GetAsyncEnumerator(leaving.Token);
        var next = items.MoveNextAsync().AsTask();
        try
        {
            var tick = timer.WaitForNextTickAsync(leaving.Token).AsTask();
            while (true)
            {
                while (await Task.WhenAny(next, tick) == tick && !next.IsCompleted)
                {
                    await tick;
                    tick = timer.WaitForNextTickAsync(leaving.Token).AsTask();
                    yield return null;
                }
                if (!await next)
                    yield break;
                yield return items.Current;
                next = items.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            // A sequence must not be disposed while it is asked for its next item.
            await leaving.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await items.DisposeAsync();
        }
    }

    /// <summary>Sends a comment if nothing was sent for a while, so that proxies keep the connection.</summary>
    public Task KeepAliveAsync() => time.GetElapsedTime(lastSent) < keepAlive ? Task.CompletedTask : CommentAsync();

    Task CommentAsync()
    {
        Text(": muse\n\n");
        return FlushAsync();
    }

    async Task FlushAsync()
    {
        await pipe.FlushAsync(hangup);
        lastSent = time.GetTimestamp();
    }

    void Text(string text) => Encoding.UTF8.GetBytes(text, pipe);

    /// <summary>Frees what it holds; the answer ends with its endpoint.</summary>
    public ValueTask DisposeAsync() => json.DisposeAsync();
}
