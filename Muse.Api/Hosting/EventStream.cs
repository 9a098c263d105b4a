using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>A stream of server-sent events to one client (HTML standard, section "Server-sent events"). One writer at a time.</summary>
/// <remarks>
/// <c>TypedResults.ServerSentEvents</c> does not fit: it sends no comments, which keep idle connections open through proxies,
/// and no event in pieces, as images in Base64 are sent.
/// </remarks>
public sealed class EventStream : IAsyncDisposable
{
    readonly PipeWriter pipe;
    readonly Utf8JsonWriter json;
    readonly TimeSpan keepAlive;
    readonly TimeProvider time;
    readonly CancellationToken disconnected;
    long lastSent;

    EventStream(PipeWriter pipe, TimeSpan keepAlive, TimeProvider time, CancellationToken disconnected)
    {
        (this.pipe, this.keepAlive, this.time, this.disconnected) = (pipe, keepAlive, time, disconnected);
        json = new(pipe);
    }

    /// <summary>Begins the response; its headers are sent with the first event or comment.</summary>
    public static EventStream Begin(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        // Stops nginx from buffering events.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        var services = context.RequestServices;
        return new(context.Response.BodyWriter, services.GetRequiredService<IOptions<ApiOptions>>().Value.KeepAlive,
            services.GetRequiredService<TimeProvider>(), context.RequestAborted);
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
        await json.FlushAsync(disconnected);
        Text("\n\n");
        await FlushAsync();
    }

    /// <summary>Sends an event whose data is JSON text.</summary>
    public async Task SendAsync(string name, ReadOnlyMemory<byte> data)
    {
        Text($"event: {name}\ndata: ");
        await pipe.WriteAsync(data, disconnected);
        Text("\n\n");
        await FlushAsync();
    }

    /// <summary>
    /// Returns the items of a sequence, and a null whenever <paramref name="timeout"/> passes without an item.
    /// Sends a comment first, so that the client sees the stream open.
    /// </summary>
    /// <param name="source">The sequence.</param>
    /// <param name="timeout">How long to wait for an item.</param>
    public async IAsyncEnumerable<T?> WithTimeouts<T>(IAsyncEnumerable<T> source, TimeSpan timeout) where T : class
    {
        await CommentAsync();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(disconnected);
        using var timer = new PeriodicTimer(timeout, time);
        var items = source.GetAsyncEnumerator(stopping.Token);
        var next = items.MoveNextAsync().AsTask();
        try
        {
            var tick = timer.WaitForNextTickAsync(stopping.Token).AsTask();
            while (true)
            {
                while (await Task.WhenAny(next, tick) == tick && !next.IsCompleted)
                {
                    await tick;
                    tick = timer.WaitForNextTickAsync(stopping.Token).AsTask();
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
            // An enumerator must not be disposed while MoveNextAsync runs.
            await stopping.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await items.DisposeAsync();
        }
    }

    /// <summary>Sends a comment if nothing was sent for a while, so that proxies keep the connection open.</summary>
    public Task KeepAliveAsync() => time.GetElapsedTime(lastSent) < keepAlive ? Task.CompletedTask : CommentAsync();

    Task CommentAsync()
    {
        Text(": muse\n\n");
        return FlushAsync();
    }

    async Task FlushAsync()
    {
        await pipe.FlushAsync(disconnected);
        lastSent = time.GetTimestamp();
    }

    void Text(string text) => Encoding.UTF8.GetBytes(text, pipe);

    /// <summary>Releases the writer. The response ends with its endpoint.</summary>
    public ValueTask DisposeAsync() => json.DisposeAsync();
}
