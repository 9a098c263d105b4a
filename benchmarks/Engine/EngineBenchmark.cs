namespace Muse.Benchmarks;

/// <summary>How the engine does by batch size, continuous against static batching, and what it costs above the bare ONNX Runtime call.</summary>
static class EngineBenchmark
{
    const string Simulated = "a simulated device, 40 ms + 10 ms a picture for 20 steps";

    public static async Task RunAsync(Report report, string[] args)
    {
        string folder = args.Length > 0 ? args[0] : Path.Combine("models", "scenes");
        string device = args.Length > 1 ? args[1] : "auto";
        var real = () => Models.Open(folder, device);
        // Costs of the shape of a GPU's: a step has a fixed part, and each picture adds a quarter of it.
        var simulated = () => Models.Open("simulated", "simulated:base=40ms,picture=10ms,steps=20");
        await BatchSizes.RunAsync(report, Simulated, simulated, steps: 20, rounds: 3);
        await BatchSizes.RunAsync(report, folder, real, steps: 8, rounds: 1);
        await Arrivals.RunAsync(report, Simulated, simulated, seconds: 15, rounds: 1);
        await Arrivals.RunAsync(report, folder, real, seconds: 25, rounds: 3);
        await Overhead.RunAsync(report, folder, device);
    }
}
