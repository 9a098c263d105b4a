namespace Muse.Benchmarks;

/// <summary>How the engine does by batch size, continuous against static batching, and what it costs above the bare ONNX Runtime call.</summary>
static class EngineBenchmark
{
    public static async Task RunAsync(string[] args)
    {
        string folder = args.Length > 0 ? args[0] : Path.Combine("models", "scenes");
        string device = args.Length > 1 ? args[1] : "auto";
        var real = () => Models.Open(folder, device);
        // Costs of the shape of a GPU's: a step has a fixed part, and each picture adds a quarter of it.
        var simulated = () => Models.Open("simulated", "simulated:base=40ms,picture=10ms,steps=20");
        Console.WriteLine($"{Environment.ProcessorCount} cores, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}; all ratios are of this run.");
        await BatchSizes.RunAsync("simulated device", simulated, steps: 20, rounds: 3);
        await BatchSizes.RunAsync(folder, real, steps: 8, rounds: 1);
        await Arrivals.RunAsync("simulated device", simulated, seconds: 8);
        await Arrivals.RunAsync(folder, real, seconds: 10);
        Overhead.Run(folder, device);
    }
}
