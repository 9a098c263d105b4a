using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Muse.Queue;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>How the worker behaves.</summary>
public sealed record FlatImageWorkerOptions
{
    public int Steps { get; init; } = 4;
    /// <summary>Prompts with this word wait at step 1 until <see cref="FlatImageWorker.Release"/>.</summary>
    public string HoldWord { get; init; } = "hold";
    /// <summary>Whether it announces the model, so that requests are checked against its card.</summary>
    public bool Announces { get; init; } = true;
    public int Slots { get; init; } = 16;
}

/// <summary>A worker that generates images of one colour, at once, over the real queue.</summary>
public sealed class FlatImageWorker : IAsyncDisposable
{
    public static readonly ModelCard Card = new()
    {
        Name = "scenes",
        MinSize = 64,
        MaxSize = 512,
        SizeMultiple = 8,
        DefaultWidth = 128,
        DefaultHeight = 128,
        DefaultSteps = 20,
        MaxSteps = 100,
        DefaultGuidanceScale = 5,
        Samplers = ["ddim", "euler"],
        ImageInput = true,
        DefaultMaskedSampler = "euler",
    };

    readonly IHost host;
    readonly FlatImageWorkerOptions options;
    readonly CancellationTokenSource stop = new();
    readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly SemaphoreSlim advances = new(0);
    readonly Task loop;
    int completed;
    int cancelled;

    FlatImageWorker(IHost host, FlatImageWorkerOptions options)
    {
        (this.host, this.options) = (host, options);
        loop = RunAsync();
    }

    /// <summary>Images it has completed.</summary>
    public int Completed => Volatile.Read(ref completed);
    /// <summary>Images it had to stop generating.</summary>
    public int Cancelled => Volatile.Read(ref cancelled);
    /// <summary>The pixels of the input images it has seen, newest last.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<(ImageJob Job, byte[] Image, byte[]? Mask)> Inputs { get; } = new();
    /// <summary>Jobs it has seen, newest last.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<ImageJob> Seen { get; } = new();

    public static async Task<FlatImageWorker> StartAsync(
        RedisServer redis, FlatImageWorkerOptions options, IReadOnlyList<(string Name, string Value)>? store = null)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        foreach (var (name, value) in store ?? [])
            builder.Configuration[name] = value;
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(TimeProvider.System).AddMetrics();
        builder.AddMuseQueue();
        var host = builder.Build();
        await host.StartAsync();
        if (options.Announces)
            await host.Services.GetRequiredService<Fleet>().AnnounceModelAsync(Card, default);
        return new(host, options);
    }

    /// <summary>Lets the images go on that it holds.</summary>
    public void Release() => released.TrySetResult();

    /// <summary>Waits until it holds a result that the object store does not take.</summary>
    public Task WaitForStoreAsync()
    {
        var queue = host.Services.GetRequiredService<WorkQueue>();
        return Queue.Samples.EventuallyAsync(() => Task.FromResult(queue.WaitsForStore), waits => waits);
    }

    /// <summary>Lets an image with "stepwise" in its prompt go on, which waits after each of its previews.</summary>
    public void Advance() => advances.Release();

    async Task RunAsync()
    {
        var queue = host.Services.GetRequiredService<WorkQueue>();
        var working = new List<Task>();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                working.RemoveAll(task => task.IsCompletedSuccessfully);
                var free = options.Slots - working.Count;
                var items = free > 0 ? await queue.ReadAsync(free, stop.Token) : [];
                working.AddRange(items.Select(item => GenerateAsync(queue, item)));
                if (free == 0)
                    await Task.WhenAny(working);
                else if (items.Count == 0)
                    await queue.WaitForWorkAsync(stop.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }
            catch (QueueUnavailableException)
            {
                // The test took Redis away; it goes on when it is back.
                await Task.Yield();
            }
        }
        await Task.WhenAll(working);
    }

    async Task GenerateAsync(WorkQueue queue, WorkItem item)
    {
        var job = item.Job;
        Seen.Enqueue(job);
        var started = DateTimeOffset.UtcNow;
        var steps = job.Steps is { } asked ? Math.Min(asked, options.Steps) : options.Steps;
        var (width, height) = (job.Width ?? 128, job.Height ?? 128);
        if (job.Input is { } placed)
        {
            InputPixels pixels;
            try
            {
                pixels = await queue.ReadInputAsync(item, default);
            }
            catch (InvalidDataException exception)
            {
                // As the real worker does. If the job was cancelled meanwhile, this has no effect.
                await queue.FailAsync(item, new(JobErrorCodes.Unreadable, exception.Message), default);
                return;
            }
            Inputs.Enqueue((job, pixels.DecompressImage(width * height), pixels.DecompressMask(width * height)));
            (width, height) = (placed.ContentWidth, placed.ContentHeight);
        }
        var previews = 0;
        for (var step = 1; step <= steps; step++)
        {
            // As the engine spaces them.
            var due = previews < job.Previews && step * (job.Previews + 1) / steps > previews;
            await queue.ReportAsync(item, step, steps, due ? new(FlatPng(32, 32, (byte)(step * 10)), OutputFormat.Png, 32, 32) : null);
            if (due && job.Prompt.Contains("stepwise"))
            {
                try
                {
                    await advances.WaitAsync(stop.Token);
                }
                catch (OperationCanceledException)
                {
                    return; // The test is over.
                }
            }

            if (due)
                previews++;
            if (job.Prompt.Contains(options.HoldWord))
            {
                while (!released.Task.IsCompleted && !stop.IsCancellationRequested)
                {
                    await Task.WhenAny(released.Task, queue.WaitForWorkAsync(stop.Token));
                    if ((await queue.RenewAsync([item], default)).Count == 0)
                        continue;
                    Interlocked.Increment(ref cancelled);
                    return;
                }
            }
        }
        if (job.Prompt.Contains("explode"))
        {
            await queue.FailAsync(item, new(JobErrorCodes.EngineFailure, "The engine fell over."), default);
            return;
        }
        // Formats are the real worker's business: here the bytes only have to be recognised.
        var bytes = job.Format == OutputFormat.Png ? FlatPng(width, height, (byte)item.Seed)
            : [.. "flat"u8, (byte)job.Format, (byte)job.Quality];
        if (await queue.CompleteAsync(item, new(new(bytes, job.Format, width, height), steps, started, job.Prompt.Contains("endless")
            ? "less" : null), default))
        {
            Interlocked.Increment(ref completed);
        }
    }

    /// <summary>An image of one grey, as PNG.</summary>
    public static byte[] FlatPng(int width, int height, byte grey)
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        Chunk(file, "IHDR"u8, header);
        using var pixels = new MemoryStream();
        using (var zlib = new ZLibStream(pixels, CompressionLevel.Fastest, leaveOpen: true))
        {
            var row = new byte[width + 1];
            row.AsSpan(1).Fill(grey);
            for (var y = 0; y < height; y++)
                zlib.Write(row);
        }
        Chunk(file, "IDAT"u8, pixels.ToArray());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    static void Chunk(Stream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        var crc = new Crc32();
        crc.Append(type);
        crc.Append(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, crc.GetCurrentHashAsUInt32());
        file.Write(number);
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop;
        host.Dispose();
        stop.Dispose();
    }
}
