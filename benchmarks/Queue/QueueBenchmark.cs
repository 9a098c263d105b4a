using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Muse.Queue;

namespace Muse.Benchmarks;

/// <summary>
/// The queue alone: the time from a submission until a worker has it, and whole jobs a second without generating anything.
/// </summary>
static class QueueBenchmark
{
    const int Warm = 200, Measured = 1000, Clients = 64, ImageBytes = 1024;

    public static async Task RunAsync(Report report, string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("muse-bench-").FullName;
        var port = arguments.Length > 0 ? arguments[0] : "7409";
        string[] settings = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
        using var redis = Process.Start(new ProcessStartInfo("redis-server", settings) { RedirectStandardOutput = true })!;
        try
        {
            using var api = Start(port);
            using var worker = Start(port);
            var (jobs, work) = (api.Services.GetRequiredService<JobQueue>(), worker.Services.GetRequiredService<WorkQueue>());
            await ReadyAsync(api.Services.GetRequiredService<Fleet>());
            report.Heading($"The queue alone");
            report.Columns("what", "figure");
            await LatencyAsync(report, jobs, work);
            await ThroughputAsync(report, jobs, work, TimeSpan.FromSeconds(5));
        }
        finally
        {
            redis.Kill();
            await redis.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    static IHost Start(string port)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration["ConnectionStrings:redis"] = $"127.0.0.1:{port},connectRetry=20";
        builder.Configuration["Queue:MaxLength"] = "1000000";
        builder.AddMuseQueue();
        return builder.Build();
    }

    static async Task ReadyAsync(Fleet fleet)
    {
        while (true)
        {
            try
            {
                await fleet.MeasureAsync(CancellationToken.None);
                return;
            }
            catch (QueueUnavailableException) { } // It is starting.
        }
    }

    static ImageJob Job() => new()
    {
        Id = Guid.NewGuid().ToString("N"),
        Owner = "benchmark",
        Prompt = "a red star above a blue house",
        Seed = 1,
        CreatedAt = TimeProvider.System.GetUtcNow(),
    };

    static async Task<double> TakeAsync(WorkQueue work, long since)
    {
        while (true)
        {
            var items = await work.ReadAsync(12, CancellationToken.None);
            var taken = Stopwatch.GetElapsedTime(since).TotalMilliseconds;
            foreach (var item in items)
                await work.CompleteAsync(item, Image(), CancellationToken.None);
            if (items.Count > 0)
                return taken;
            await work.WaitForWorkAsync(CancellationToken.None);
        }
    }

    static CompletedImage Image() => new(new StoredImage(new byte[ImageBytes], OutputFormat.Png, 8, 8), 1, default);

    static async Task LatencyAsync(Report report, JobQueue jobs, WorkQueue work)
    {
        var times = new List<double>();
        for (var i = 0; i < Warm + Measured; i++)
        {
            // The worker is idle and waits for the signal.
            var since = Stopwatch.GetTimestamp();
            var taking = TakeAsync(work, since);
            await jobs.SubmitAsync(Job(), null, CancellationToken.None);
            var time = await taking;
            if (i >= Warm)
                times.Add(time);
        }
        times.Sort();
        report.Row($"from submission until a worker has it, idle, median of {Measured}", $"{times[times.Count / 2]:0.00} ms");
        report.Row($"the same, p95", $"{times[times.Count * 95 / 100]:0.00} ms");
    }

    static async Task ThroughputAsync(Report report, JobQueue jobs, WorkQueue work, TimeSpan time)
    {
        using var stop = new CancellationTokenSource();
        var working = Task.Run(async () =>
        {
            var completions = new Queue<Task>();
            while (!stop.IsCancellationRequested)
            {
                var items = await work.ReadAsync(12, CancellationToken.None);
                foreach (var item in items)
                    completions.Enqueue(work.CompleteAsync(item, Image(), CancellationToken.None));
                while (completions.TryPeek(out var first) && (first.IsCompleted || completions.Count > 256))
                    await completions.Dequeue();
                if (items.Count == 0)
                    await work.WaitForWorkAsync(CancellationToken.None);
            }
        });
        var (count, clock) = (0, Stopwatch.StartNew());
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            while (clock.Elapsed < time)
            {
                var job = Job();
                await jobs.SubmitAsync(job, null, CancellationToken.None);
                await jobs.WaitWithImagesAsync(job.Id, CancellationToken.None);
                Interlocked.Increment(ref count);
            }
        }));
        report.Row($"submit, complete with an image of {ImageBytes} B, wait; {Clients} clients, no HTTP",
            $"{count / clock.Elapsed.TotalSeconds:0} jobs/s");
        await stop.CancelAsync();
        await working;
    }
}
