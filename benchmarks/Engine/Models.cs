using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Benchmarks;

static class Models
{
    /// <summary>The section <c>Device</c>, as a worker reads it from environment variables.</summary>
    public static DeviceOptions DeviceSettings() =>
        new ConfigurationBuilder().AddEnvironmentVariables().Build().GetSection("Device").Get<DeviceOptions>() ?? new DeviceOptions();

    public static IDiffusionModel Open(string folder, string device, DeviceOptions? options = null) =>
        DiffusionModels.Open(folder, device, options ?? DeviceSettings(), TimeProvider.System, NullLogger.Instance);

    public static IDiffusionModel Simulated(SimulationSpec spec) => new SimulatedModel("simulated", spec, TimeProvider.System);

    public static async Task<DiffusionEngine> StartAsync(IDiffusionModel model, EngineOptions options)
    {
        var engine = new DiffusionEngine(model, options, TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        return engine;
    }

    /// <summary>Submits requests as fast as the engine takes them, up to a number or until the time is up.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="steps">The steps of a request, by its number.</param>
    /// <param name="count">The largest number of requests.</param>
    /// <param name="until">Cancelled when the time is up.</param>
    /// <param name="input">The image from which a request starts, by its number; null for text-to-image alone.</param>
    /// <returns>The number of submitted requests.</returns>
    public static async Task<int> FeedAsync(DiffusionEngine engine, Func<int, int> steps, int count, CancellationToken until,
        Func<int, ImageInput?>? input = null)
    {
        for (var number = 0; number < count; number++)
        {
            await engine.WaitForFreeSlotAsync(CancellationToken.None);
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
