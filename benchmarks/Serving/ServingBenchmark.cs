using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The whole path HTTP → Redis → worker → Redis → HTTP, in real processes.</summary>
static class ServingBenchmark
{
    const string Path = "/v1/images/generations";
    const string Gpu = "simulated:base=40ms,picture=10ms,bytes=300000";
    const string Free = "simulated:base=0ms,picture=0ms,steps=1,side=16,bytes=640";
    const string Small = """{"prompt":"a red star above a blue house","size":"16x16","steps":1}""";
    const double EfficiencyGoal = 0.97;
    const string Plain = """{"prompt":"a red star above a blue house"}""";

    public static async Task RunAsync(Report report, string[] args)
    {
        if (args is [] or ["batching"])
            await BatchingAndWorkersAsync(report);
        if (args is [] or ["efficiency"])
            await EfficiencyAsync(report);
        if (args is [] or ["overhead"])
            await OverheadAsync(report);
        if (args is [] or ["memory"])
            await MemoryAsync(report);
        if (args is [] or ["apphost"])
            await AppHostAsync(report);
    }

    /// <summary>Batch sizes and workers, as Lightning's blog post on Muse (2022) compared them.</summary>
    static async Task BatchingAndWorkersAsync(Report report)
    {
        report.Heading($"Batching and workers: images a second over HTTP");
        report.Columns("device", "batch", "workers", "clients", "images/s", "against batch 1", "p95 s");
        var runs = new (string Name, string Device, string Model, int[] Workers)[]
        {
            ("the built-in model, 20 steps", "cpu", "", [1]),
            ("simulated, 40 ms + 10 ms an image", "simulated:base=40ms,picture=10ms", "simulated", [1, 4]),
        };
        foreach (var (name, device, model, counts) in runs)
        {
            double single = 0;
            foreach (var (batch, workers) in counts.SelectMany(n => n == 1 ? ((int, int)[])[(1, 1), (12, 1)] : [(1, n), (12, n)]))
            {
                await using var muse =
                    await RunningMuse.StartAsync(device, workers, ("MUSE_MAX_BATCH_SIZE", $"{batch}"), ("MUSE_MODEL", model));
                var clients = 2 * batch * workers + 4;
                var result = await HttpClients.RunAsync(muse.Port, Path, Plain, clients, seconds: 12, warmUp: 5);
                if (single == 0)
                    single = result.PerSecond;
                report.Row($"{name}", $"{batch}", $"{workers}", $"{clients}", $"{result.PerSecond:F2}", $"{result.PerSecond / single:F2}",
                    $"{result.Percentile(0.95):F2}");
                ReportFailures(report, result);
            }
        }
    }

    /// <summary>Images a second over HTTP, divided by those of the same engine alone.</summary>
    static async Task EfficiencyAsync(Report report)
    {
        var bare = await EngineAloneAsync(seconds: 8);
        report.Heading($"Serving efficiency");
        report.Line($"Simulated workers of 40 ms + 10 ms an image, images of 300 KB.");
        report.Line($"The same engine alone completes {bare:F1} images a second; its device allows 75.");
        report.Line($"The columns in ms are processor time an image; the last is the memory of API and workers at the end (PSS).\n");
        report.Columns("workers", "clients", "images/s", "efficiency", "p50 s", "p95 s", "API ms", "workers ms", "Redis ms",
            "clients ms", "MB");
        foreach (var (workers, clientCounts) in ((int, int[])[])[(1, [1, 60, 1000]), (4, [120, 1000])])
        {
            await using var muse =
                await RunningMuse.StartAsync(Gpu, workers, ("MUSE_MODEL", "simulated"), ("Queue__Retention", "00:00:10"));
            // The JIT compiler takes much of the first half minute.
            await HttpClients.RunAsync(muse.Port, Path, Plain, clientCounts[^2], seconds: 30);
            foreach (var clients in clientCounts)
            {
                var (before, ownBefore) = (muse.ProcessorSeconds(), Environment.CpuUsage.TotalTime);
                // All clients send their first request at once: the warm-up is longer than these take.
                var warmUp = Math.Max(4, clients / (75.0 * workers));
                var result = await HttpClients.RunAsync(muse.Port, Path, Plain, clients, seconds: 15, warmUp);
                var (after, count) = (muse.ProcessorSeconds(), result.Latencies.Length * (15 + warmUp) / 15);
                var megabytes = muse.Megabytes();
                double Cost(string name) => (after[name] - before[name]) / count * 1000;
                var clientSeconds = (Environment.CpuUsage.TotalTime - ownBefore).TotalSeconds;
                report.Row(
                    $"{workers}", $"{clients}", $"{result.PerSecond:F1}", $"{result.PerSecond / (bare * workers):F3}",
                    $"{result.Percentile(0.5):F2}", $"{result.Percentile(0.95):F2}",
                    $"{Cost("api"):F2}", $"{Cost("worker"):F2}", $"{Cost("redis"):F2}", $"{clientSeconds / count * 1000:F2}",
                    $"{megabytes["api"] + megabytes["worker"]:F0}");
                ReportFailures(report, result);
                if (clients > 1 && result.PerSecond < EfficiencyGoal * bare * workers)
                    report.Line($"\n**This is below the goal of {EfficiencyGoal:F2}.**\n");
            }
        }
    }

    /// <summary>Images a second of an engine for which requests always wait.</summary>
    static async Task<double> EngineAloneAsync(double seconds)
    {
        await using var engine = await Models.StartAsync(Models.Open("simulated", Gpu), new EngineOptions());
        using var timeIsUp = new CancellationTokenSource();
        var feeding = Models.FeedAsync(engine, _ => 20, int.MaxValue, timeIsUp.Token);
        var (clock, done) = (System.Diagnostics.Stopwatch.StartNew(), 0);
        const double warmUp = 2;
        await foreach (var happened in engine.Events.ReadAllAsync())
        {
            if (happened is EngineEvent.Completed && clock.Elapsed.TotalSeconds > warmUp)
                done++;
            if (clock.Elapsed.TotalSeconds > warmUp + seconds)
                break;
        }
        await timeIsUp.CancelAsync();
        await engine.DrainAsync();
        await feeding;
        return done / seconds;
    }

    /// <summary>Requests a second with a device that takes no time, beside a plain endpoint.</summary>
    static async Task OverheadAsync(Report report)
    {
        const int clients = 64;
        const double seconds = 10;
        var plain = await PlainEndpoint.MeasureAsync(1024, Small, clients, seconds);
        await using var muse = await RunningMuse.StartAsync(Free, 1, ("MUSE_MODEL", "simulated"), ("Queue__Retention", "00:00:10"));
        await HttpClients.RunAsync(muse.Port, Path, Small, clients, seconds: 15); // Until the JIT compiler has optimized the code.
        var (before, ownBefore) = (muse.ProcessorSeconds(), Environment.CpuUsage.TotalTime);
        var result = await HttpClients.RunAsync(muse.Port, Path, Small, clients, seconds, warmUp: 0);
        var (after, used) = (muse.ProcessorSeconds(), Environment.CpuUsage.TotalTime - ownBefore);
        report.Heading($"Overhead: a device that takes no time, images of 1 KB, {clients} clients");
        report.Columns("what", "requests/s", "p50 ms", "p99 ms");
        report.Row($"a plain ASP.NET endpoint that reads the JSON and responds with 1 KB", $"{plain.PerSecond:F0}",
            $"{1000 * plain.Percentile(0.5):F1}", $"{1000 * plain.Percentile(0.99):F1}");
        report.Row($"Muse", $"{result.PerSecond:F0}", $"{1000 * result.Percentile(0.5):F1}", $"{1000 * result.Percentile(0.99):F1}");
        report.Line($"\nProcessor time an image: API {Microseconds("api"):F0} µs, worker {Microseconds("worker"):F0} µs,");
        report.Line($"Redis {Microseconds("redis"):F0} µs, clients {used.TotalSeconds / result.Latencies.Length * 1e6:F0} µs;");
        report.Line($"without an OTLP endpoint.");
        ReportFailures(report, result);

        double Microseconds(string name) => (after[name] - before[name]) / result.Latencies.Length * 1e6;
    }

    /// <summary>Memory while many clients wait, and after many requests.</summary>
    static async Task MemoryAsync(Report report)
    {
        report.Heading($"Memory of each process, MB");
        report.Columns("when", "API", "worker", "Redis");
        await using (var muse = await RunningMuse.StartAsync("simulated:base=40ms,picture=10ms,bytes=20000", 1,
            ("MUSE_MODEL", "simulated")))
        {
            Sample("at the start", muse);
            var load = HttpClients.RunAsync(muse.Port, Path, Plain, 1000, seconds: 16, warmUp: 0);
            await Task.Delay(TimeSpan.FromSeconds(14));
            Sample("1,000 clients wait", muse);
            ReportFailures(report, await load);
        }
        await using (var muse = await RunningMuse.StartAsync(Free, 1, ("MUSE_MODEL", "simulated"), ("Queue__Retention", "00:00:10")))
        {
            var done = 0;
            foreach (var goal in (int[])[20_000, 60_000, 100_000])
            {
                while (done < goal)
                    done += (await HttpClients.RunAsync(muse.Port, Path, Small, 64, seconds: 2, warmUp: 0)).Latencies.Length;
                Sample($"after {done} requests", muse);
            }
        }

        void Sample(string when, RunningMuse muse)
        {
            var megabytes = muse.Megabytes();
            report.Row($"{when}", $"{megabytes["api"]:F0}", $"{megabytes["worker"]:F0}", $"{megabytes["redis"]:F0}");
        }
    }

    /// <summary>The same requests through the AppHost and through the same programs started by hand, in turns.</summary>
    static async Task AppHostAsync(Report report)
    {
        const int clients = 64;
        const double seconds = 10;
        (string, string)[] settings =
            [("MUSE_MODEL", "simulated"), ("MUSE_GPU_TYPE", Free), ("MUSE_RATE_LIMITS", "false"), ("Api__AllowAnonymous", "true"),
                ("MUSE_MIN_WORKERS", "1"), ("MUSE_MAX_WORKERS", "1"), ("Queue__Retention", "00:00:10"), ("Queue__MaxLength", "1000000")];
        var chromium = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
            .Select(folder => System.IO.Path.Combine(folder, "chromium")).FirstOrDefault(File.Exists);
        report.Heading($"Through the AppHost: a device that costs nothing, images of 1 KB, {clients} clients");
        report.Line($"Milliseconds of processor time a second, by process, behind the requests a second.\n");
        report.Columns("what", "requests/s", "API", "worker", "Redis", "autoscaler", "AppHost", "orchestrator", "dashboard");
        await using var byHand = await RunningMuse.StartLikeAppHostAsync(Free, settings);
        await using var appHost = await RunningAppHost.StartAsync(settings);
        (string Name, int Port, Func<Dictionary<string, double>> Cost)[] ways =
            [("by hand", byHand.Port, byHand.ProcessorSeconds), ("AppHost", appHost.Port, appHost.ProcessorSeconds)];
        foreach (var (_, port, _) in ways)
            await HttpClients.RunAsync(port, Path, Small, clients, seconds: 20); // Until the compiler has done its best.
        for (var round = 0; round < 3; round++)
        {
            foreach (var (name, port, cost) in ways)
                await MeasureAsync(name, port, cost);
        }
        if (chromium is null)
        {
            report.Line($"\nNo chromium: not measured with the dashboard open.");
            return;
        }
        using (await appHost.OpenDashboardAsync(chromium))
        {
            await Task.Delay(TimeSpan.FromSeconds(10)); // It loads.
            for (var round = 0; round < 2; round++)
            {
                await MeasureAsync("by hand, a dashboard open", byHand.Port, byHand.ProcessorSeconds);
                await MeasureAsync("AppHost, its dashboard open", appHost.Port, appHost.ProcessorSeconds);
            }
        }
        report.Line($"\nMegabytes (PSS) after it, by process:");
        foreach (var (kind, megabytes) in appHost.Megabytes().OrderByDescending(kind => kind.Value))
            report.Line($"- {kind}: {megabytes:F0}");

        async Task MeasureAsync(string name, int port, Func<Dictionary<string, double>> cost)
        {
            var before = cost();
            var result = await HttpClients.RunAsync(port, Path, Small, clients, seconds, warmUp: 0);
            var after = cost();
            string[] kinds = ["api", "worker", "redis", "autoscaler", "apphost", "orchestrator", "dashboard"];
            report.Row([$"{name}", $"{result.PerSecond:F0}",
                .. kinds.Select(kind => (FormattableString)
                    $"{1000 * (after.GetValueOrDefault(kind) - before.GetValueOrDefault(kind)) / seconds:F0}")]);
            ReportFailures(report, result);
        }
    }

    static void ReportFailures(Report report, LoadResult result)
    {
        foreach (var (status, count) in result.Failures)
            report.Line($"\n**{count} responses had the status {status}.**\n");
    }
}
