using System.Diagnostics;
using System.Globalization;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The denoiser's step with fused attentions against the graph as it is.</summary>
static class Fusion
{
    /// <param name="report">Receives the figures.</param>
    /// <param name="args">
    /// Nothing for the built-in models; or a model's folder, a device, <c>cpu</c> by default, and the numbers of requests, <c>1,4,12</c> by
    /// default.
    /// </param>
    public static async Task RunAsync(Report report, string[] args)
    {
        var folders = args.Length > 0 ? args[..1] : [Path.Combine("models", "scenes"), Path.Combine("models", "scenes3")];
        var device = args.Length > 1 ? args[1] : "cpu";
        var requests = (args.Length > 2 ? args[2] : "1,4,12").Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture));
        foreach (var folder in folders)
            await RunAsync(report, folder, device, [.. requests]);
    }

    /// <summary>Prints the peak of this process's memory in MiB after two steps.</summary>
    /// <param name="args">A model's folder, a device, whether attentions are fused, and the number of requests.</param>
    public static void PrintPeak(string[] args)
    {
        using (var step = new Step(args[0], args[1], bool.Parse(args[2])))
        {
            step.Prepare(int.Parse(args[3], CultureInfo.InvariantCulture));
            for (var i = 0; i < 2; i++)
                step.Run();
        }
        Console.WriteLine(ModelMemory.Status()["VmHWM"].ToString(CultureInfo.InvariantCulture));
    }

    static async Task RunAsync(Report report, string folder, string device, int[] numbers)
    {
        report.Heading($"Fused attentions against the graph as it is: {folder} on {device}");
        report.Line($"Times are medians of steps that alternate in one process. The peak of memory is of a process for each cell that");
        report.Line($"opens the model and runs two steps. The difference is the largest of the denoiser's output, against the largest");
        report.Line($"output.\n");
        report.Columns("requests", "rows", "plain, ms a step", "fused", "fused against plain", "the same in processor time",
            "plain, peak MiB", "fused", "difference");
        using var plain = new Step(folder, device, fused: false);
        using var fused = new Step(folder, device, fused: true);
        foreach (var requests in numbers)
        {
            var rows = plain.Prepare(requests);
            fused.Prepare(requests);
            var (outputs, others) = (plain.Run(), fused.Run());
            var (most, difference) = (outputs.Max(Math.Abs), outputs.Zip(others).Max(pair => Math.Abs(pair.First - pair.Second)));
            List<(double Time, double Processor)> plainTimes = [], fusedTimes = [];
            var clock = Stopwatch.StartNew();
            while (plainTimes.Count < 3 || clock.Elapsed.TotalSeconds < 10)
            {
                plainTimes.Add(Milliseconds(plain));
                fusedTimes.Add(Milliseconds(fused));
            }
            var (a, b) = (Median(plainTimes.Select(step => step.Time)), Median(fusedTimes.Select(step => step.Time)));
            // Its clock is too coarse for a short step.
            var processor = fusedTimes.Sum(step => step.Processor) / plainTimes.Sum(step => step.Processor);
            var peaks = (await PeakAsync(folder, device, false, requests), await PeakAsync(folder, device, true, requests));
            report.Row($"{requests}", $"{rows}", $"{a:F1}", $"{b:F1}", $"{b / a:F2}", $"{processor:F2}", $"{peaks.Item1:F0}",
                $"{peaks.Item2:F0}", $"{difference / most:E0}");
        }
    }

    static (double Time, double Processor) Milliseconds(Step step)
    {
        var (start, processor) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        step.Run();
        return (Stopwatch.GetElapsedTime(start).TotalMilliseconds, (Environment.CpuUsage.TotalTime - processor).TotalMilliseconds);
    }

    static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    static async Task<double> PeakAsync(string folder, string device, bool fused, int requests)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!,
            [.. PlainEndpoint.Self, "fusion-peak", folder, device, $"{fused}", $"{requests}"])
        { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return double.TryParse(output, CultureInfo.InvariantCulture, out var peak) ? peak
            : throw new InvalidOperationException($"'{string.Join(' ', start.ArgumentList)}' ended with {process.ExitCode}: {output}");
    }

    /// <summary>A denoiser's step over requests that are all guided, if the model's requests are.</summary>
    sealed class Step : IDisposable
    {
        readonly IDiffusionModel model;
        DenoiserBatch? batch;
        int rows;

        public Step(string folder, string device, bool fused)
        {
            var options = Models.DeviceSettings();
            options.FuseGraphs = fused;
            model = Models.Open(folder, device, options);
        }

        public int Prepare(int requests)
        {
            var traits = model.Traits;
            rows = requests * (traits.DefaultGuidanceScale > 1 && !model.GuidanceEmbedded ? 2 : 1);
            var latent = model.GetLatentShape(traits.DefaultWidth, traits.DefaultHeight);
            var prompt = model.Encode("a small red star above a house");
            batch = model.PrepareBatch(latent, prompt.Shape, rows);
            var random = new Random(1);
            for (var row = 0; row < rows; row++)
            {
                foreach (ref var value in batch.Input(row))
                    value = (float)(2 * random.NextDouble() - 1);
                batch.SetCondition(row, new RowCondition(100 + 30 * row, prompt, traits.DefaultGuidanceScale, traits.DefaultWidth,
                    traits.DefaultHeight));
            }
            return rows;
        }

        public float[] Run()
        {
            batch!.Run();
            return [.. Enumerable.Range(0, rows).SelectMany(row => batch.Output(row).ToArray())];
        }

        public void Dispose() => model.Dispose();
    }
}
