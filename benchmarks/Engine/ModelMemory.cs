using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>
/// The memory of this process while a model is opened and generates one image, against the size of its graphs' files. Linux only.
/// </summary>
static class ModelMemory
{
    const double MiB = 1 << 20;

    /// <param name="args">
    /// A model's folder, or the folder of one of its graphs, which is then loaded alone; a device, the image's side in pixels, and the
    /// steps.
    /// </param>
    public static async Task RunAsync(string[] args)
    {
        var folder = args[0];
        var device = args.Length > 1 ? args[1] : "cpu";
        var report = new Report();
        report.Heading($"Memory in MiB: {folder} on {device}");
        report.Columns("when", "resident", "of it anonymous", "of it files", "proportional", "peak", "s");
        var clock = Stopwatch.StartNew();
        Row(report, "before", clock);
        if (File.Exists(Path.Combine(folder, "model.onnx")))
        {
            var provider = ExecutionProvider.Choose(device, new DeviceOptions(), NullLogger.Instance);
            using var graph = Graph.Load(Path.Combine(folder, "model.onnx"), folder, provider, NullLogger.Instance);
            Row(report, "graph loaded", clock);
            report.Line($"\nThe graph's files: {Size(folder) / MiB:F0} MiB.");
            return;
        }
        var model = Models.Open(folder, device);
        Row(report, "model opened", clock);
        var side = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : model.Traits.DefaultWidth;
        var steps = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : model.Traits.DefaultSteps;
        var options = new EngineOptions { CheckpointEvery = 0, WarmUpSizes = $"{side}x{side}" };
        await using (var engine = await Models.StartAsync(model, options))
        {
            Row(report, "engine warmed up", clock);
            engine.TrySubmit(Models.Request(engine.Model, 0, steps) with { Width = side, Height = side });
            var image = await ImageAsync(engine);
            Row(report, $"{image.Width}×{image.Height} generated", clock);
            var (mean, least, most) = (image.Pixels.Average(value => value), image.Pixels.Min(), image.Pixels.Max());
            report.Line($"\nThe image's values: {mean:F1} at the mean, from {least} to {most}.");
        }
        report.Line($"\nThe graphs' files, MiB:\n");
        foreach (var part in Directory.GetDirectories(folder).Where(part => File.Exists(Path.Combine(part, "model.onnx"))).Order())
            report.Line($"- {Path.GetFileName(part)}: {Size(part) / MiB:F0}");
        report.Line($"- together: {Directory.GetDirectories(folder).Sum(Size) / MiB:F0}");
    }

    static async Task<RgbImage> ImageAsync(DiffusionEngine engine)
    {
        while (true)
        {
            switch (await engine.Events.ReadAsync())
            {
                case EngineEvent.Completed completed:
                    return completed.Image;
                case EngineEvent.Failed failed:
                    throw new InvalidOperationException(failed.ToString());
            }
        }
    }

    static long Size(string part) => File.Exists(Path.Combine(part, "model.onnx"))
        ? new DirectoryInfo(part).EnumerateFiles().Sum(file => file.Length)
        : 0;

    static void Row(Report report, string when, Stopwatch clock)
    {
        var status = Status();
        var rollup = Read("/proc/self/smaps_rollup");
        report.Row($"{when}", $"{status["VmRSS"]:F0}", $"{status["RssAnon"]:F0}", $"{status["RssFile"]:F0}", $"{rollup["Pss"]:F0}",
            $"{status["VmHWM"]:F0}", $"{clock.Elapsed.TotalSeconds:F1}");
    }

    /// <summary>The sizes of this process's memory, in MiB, by the names of <c>/proc/self/status</c>.</summary>
    public static Dictionary<string, double> Status() => Read("/proc/self/status");

    // Lines such as "VmRSS:   1024 kB", in MiB.
    static Dictionary<string, double> Read(string file) => File.ReadLines(file)
        .Select(line => line.Split([':', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words is [_, _, "kB"])
        .ToDictionary(words => words[0], words => double.Parse(words[1], CultureInfo.InvariantCulture) / 1024);
}
