using System.Runtime.InteropServices;
using Muse.Benchmarks;

var benchmarks = new Dictionary<string, Func<Report, string[], Task>>
{
    ["engine"] = EngineBenchmark.RunAsync,
    ["fusion"] = Fusion.RunAsync,
    ["queue"] = QueueBenchmark.RunAsync,
    ["serving"] = ServingBenchmark.RunAsync,
};
if (args is ["plain", .. var rest])
{
    await PlainEndpoint.ServeAsync(rest);
    return 0;
}
if (args is ["edit", .. var edits])
{
    await EditFolder.RunAsync(edits);
    return 0;
}
if (args is ["fusion-peak", .. var peak])
{
    Fusion.PrintPeak(peak);
    return 0;
}
if (args is ["memory", .. var model])
{
    await ModelMemory.RunAsync(model);
    return 0;
}
var report = new Report();
if (args is ["all", var path])
{
    report.Line($"# Benchmarks");
    var (cores, framework) = (Environment.ProcessorCount, RuntimeInformation.FrameworkDescription);
    report.Line($"\nWritten by `./muse bench` on {DateTime.UtcNow:yyyy-MM-dd}, on {cores} cores ({Machine()}), {framework}.");
    report.Line($"Clients, Redis, API and workers share these cores. Figures of one run are comparable; across machines only ratios are.");
    report.Line($"A *simulated* device takes the stated time for a step without using the processor. It says nothing about a real GPU.");
    foreach (var run in benchmarks.Values)
        await run(report, []);
    await report.SaveAsync(path);
    return 0;
}
if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var benchmark))
{
    Console.Error.WriteLine($"Which benchmark? {string.Join(", ", benchmarks.Keys)}, or all FILE");
    return 2;
}
await benchmark(report, args[1..]);
return 0;

static string Machine()
{
    const string cpus = "/proc/cpuinfo";
    var name = File.Exists(cpus) ? File.ReadLines(cpus).FirstOrDefault(line =>
        line.StartsWith("model name", StringComparison.Ordinal)) : null;
    return name is null ? RuntimeInformation.OSArchitecture.ToString() : name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
}
