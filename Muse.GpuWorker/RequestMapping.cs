using System.Text.Json;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Maps the queue's types to the engine's.</summary>
static class RequestMapping
{
    /// <summary>The engine's request for an image, with the model's defaults where nothing was asked for.</summary>
    public static GenerationRequest From(WorkItem item, ModelTraits model) => new()
    {
        Id = item.Id,
        Prompt = item.Job.Prompt,
        NegativePrompt = item.Job.NegativePrompt.Length > 0 ? item.Job.NegativePrompt : null,
        Width = item.Job.Width ?? model.DefaultWidth,
        Height = item.Job.Height ?? model.DefaultHeight,
        Steps = item.Job.Steps ?? model.DefaultSteps,
        GuidanceScale = item.Job.GuidanceScale ?? model.DefaultGuidanceScale,
        Seed = item.Seed,
        Sampler = item.Job.Sampler,
        Previews = Math.Min(item.Job.Previews, Math.Max(0, item.Job.Steps ?? model.DefaultSteps)),
    };

    /// <summary>The HTTP API's name of a request's property.</summary>
    public static string FieldName(string property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property);

    public static ImageFormat Format(PictureFormat format) => format switch
    {
        PictureFormat.Png => ImageFormat.Png,
        PictureFormat.Jpeg => ImageFormat.Jpeg,
        _ => ImageFormat.WebP,
    };

    public static ModelCard Card(ModelTraits model) => new()
    {
        Name = model.Name,
        MinSize = model.MinSize,
        MaxSize = model.MaxSize,
        SizeMultiple = model.SizeMultiple,
        DefaultWidth = model.DefaultWidth,
        DefaultHeight = model.DefaultHeight,
        DefaultSteps = model.DefaultSteps,
        MaxSteps = model.MaxSteps,
        DefaultGuidanceScale = model.DefaultGuidanceScale,
        Samplers = model.Samplers,
        SafetyChecker = model.SafetyChecker,
    };
}
