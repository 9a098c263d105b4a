using System.Globalization;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The engine by batch size, continuous against static batching, and its overhead above the ONNX Runtime call.</summary>
static class EngineBenchmark
{
    // Costs as on a GPU: a step has a fixed part, and each image adds a quarter of it.
    static readonly SimulationSpec Spec = SimulationSpec.Parse("simulated:base=40ms,picture=10ms,steps=20");
    static readonly string Simulated = $"a simulated device, {Spec}";

    /// <param name="report">Receives the figures.</param>
    /// <param name="args">
    /// Nothing for the built-in model and a simulated device; or a model's folder, a device, parts of
    /// <c>sizes,arrivals,edits,changes,decoding,overhead</c>, and the seconds for which requests arrive in each round. The part
    /// <c>changes</c> always uses a simulated device and must be named.
    /// </param>
    public static async Task RunAsync(Report report, string[] args)
    {
        var folder = args.Length > 0 ? args[0] : Path.Combine("models", "scenes");
        var device = args.Length > 1 ? args[1] : "auto";
        var parts = args.Length switch
        {
            > 2 => args[2].Split(','),
            > 0 => ["sizes", "arrivals", "edits", "decoding", "overhead"],
            _ => ["sizes", "arrivals", "edits", "changes", "decoding", "overhead"],
        };
        var real = () => Models.Open(folder, device);
        var seconds = args.Length > 3 ? double.Parse(args[3], CultureInfo.InvariantCulture) : 25;
        Func<IDiffusionModel>? simulated = args.Length > 0 ? null : () => Models.Simulated(Spec);
        if (parts.Contains("sizes"))
        {
            if (simulated is not null)
                await BatchSizes.RunAsync(report, Simulated, simulated, steps: 20, rounds: 3);
            await BatchSizes.RunAsync(report, folder, real, steps: 8, rounds: 1);
        }
        if (parts.Contains("arrivals"))
        {
            if (simulated is not null)
                await Arrivals.RunAsync(report, Simulated, simulated, seconds: 15, rounds: 1);
            await Arrivals.RunAsync(report, folder, real, seconds, rounds: 3);
        }
        if (parts.Contains("edits"))
            await Edits.RunAsync(report, folder, real, rounds: 3);
        if (parts.Contains("changes"))
            await Arrivals.RunWithChangesAsync(report, Simulated, Spec, [0, 1, 3, 10], seconds: 10);
        if (parts.Contains("decoding"))
            await Decoding.RunAsync(report, folder, real, seconds);
        if (parts.Contains("overhead"))
            await Overhead.RunAsync(report, folder, device);
    }
}
