using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Benchmarks;

static class Models
{
    public static IDiffusionModel Open(string folder, string device) =>
        DiffusionModels.Open(folder, device, new DeviceOptions(), TimeProvider.System, NullLogger.Instance);

    public static IDiffusionModel Simulated(SimulationSpec spec) => new SimulatedModel("simulated", spec, TimeProvider.System);

    public static async Task<DiffusionEngine> StartAsync(IDiffusionModel model, EngineOptions options)
    {
        var engine = new DiffusionEngine(model, options, TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        return engine;
    }

    /// <summary>Keeps an engine full, until it has had so many requests or time is up.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="steps">Steps of the request with this number.</param>
    /// <param name="count">Most requests.</param>
    /// <param name="until">When time is up.</param>
    /// <param name="input">The image that the request with this number starts from; null for text-to-image alone.</param>
    /// <returns>How many requests it had.</returns>
    public static async Task<int> FeedAsync(DiffusionEngine engine, Func<int, int> steps, int count, CancellationToken until, Func<int, ImageInput?>? input = null)
    {
        for (var number = 0; number < count; number++)
        {
            await engine.WaitForRoomAsync(CancellationToken.None);
            if (until.IsCancellationRequested)
                return number;
            engine.TrySubmit(Request(engine.Model, number, steps(number)) with { Input = input?.Invoke(number) });
        }
        return count;
    }

    public static GenerationRequest Request(ModelTraits traits, int number, int steps) => new()
    {
        Id = $"{number}",
        Prompt = $"a small red star above house number {number % 7}",
        Width = traits.DefaultWidth,
        Height = traits.DefaultHeight,
        Steps = steps,
        GuidanceScale = traits.DefaultGuidanceScale,
        Seed = number,
    };
}
