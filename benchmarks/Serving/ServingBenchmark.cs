using System.Globalization;

namespace Muse.Benchmarks;

/// <summary>The whole way, HTTP → Redis → worker → Redis → HTTP, in real processes.</summary>
static class ServingBenchmark
{
    const string Small = """{"prompt":"a red star above a blue house","size":"16x16","steps":1}""";

    public static async Task RunAsync(string[] args)
    {
        await OverheadAsync(clients: 64, seconds: 8);
    }

    /// <summary>Requests a second with a device that costs nothing, beside an endpoint that does nothing.</summary>
    static async Task OverheadAsync(int clients, double seconds)
    {
        var plain = await PlainEndpoint.MeasureAsync(1024, Small, clients, seconds / 2);
        await using var muse = await RunningMuse.StartAsync("simulated:base=0ms,picture=0ms,steps=1,side=16,bytes=640", 1, ("MUSE_MODEL", "simulated"));
        await HttpClients.RunAsync(muse.Port, "/v1/images/generations", Small, clients, 14);
        var before = muse.ProcessorSeconds();
        var own = Environment.CpuUsage.TotalTime;
        var through = await HttpClients.RunAsync(muse.Port, "/v1/images/generations", Small, clients, seconds, warmUp: 0);
        var after = muse.ProcessorSeconds();
        own = Environment.CpuUsage.TotalTime - own;
        Say($"plain endpoint {plain.PerSecond:0}/s; muse {through.PerSecond:0}/s, failures {through.Failures}, p50 {through.Percentile(.5) * 1000:0.0} ms p99 {through.Percentile(.99) * 1000:0.0} ms");
        foreach (var (name, used) in after)
            Say($"  {name}: {(used - before[name]) / through.Latencies.Length * 1e6:0} µs a picture");
        Say($"  client: {own.TotalSeconds / through.Latencies.Length * 1e6:0} µs");
    }

    static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
