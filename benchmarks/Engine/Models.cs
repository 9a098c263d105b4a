using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Benchmarks;

static class Models
{
    public static IDiffusionModel Open(string folder, string device) =>
        DiffusionModels.Open(folder, device, new DeviceOptions(), TimeProvider.System, NullLogger.Instance);

    public static async Task<DiffusionEngine> StartAsync(IDiffusionModel model, EngineOptions options)
    {
        var engine = new DiffusionEngine(model, options, TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        return engine;
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
