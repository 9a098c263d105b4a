using System.Text.Json;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Maps the queue's types to the engine's.</summary>
static class RequestMapping
{
    /// <summary>The engine's request for an image, with the model's defaults for what the job leaves out.</summary>
    /// <param name="item">The image.</param>
    /// <param name="model">The model.</param>
    /// <param name="input">The pixels of the job's input, or null.</param>
    /// <exception cref="InvalidDataException">The pixels are damaged, or of another size.</exception>
    public static GenerationRequest From(WorkItem item, ModelTraits model, InputPixels? input = null) => new()
    {
        Id = item.Id,
        Prompt = item.Job.Prompt,
        NegativePrompt = item.Job.NegativePrompt.Length > 0 ? item.Job.NegativePrompt : null,
        PromptWeights = item.Job.PromptWeights,
        Width = item.Job.Width ?? model.DefaultWidth,
        Height = item.Job.Height ?? model.DefaultHeight,
        Steps = item.Job.Steps ?? model.DefaultSteps,
        GuidanceScale = item.Job.GuidanceScale ?? model.DefaultGuidanceScale,
        Seed = item.Seed,
        Sampler = item.Job.Sampler,
        Input = input is null ? null : Input(item.Job, input),
        Previews = Math.Min(item.Job.Previews, Math.Max(0, item.Job.Steps ?? model.DefaultSteps)),
    };

    static ImageInput Input(ImageJob job, InputPixels input)
    {
        var (width, height) = (job.Width!.Value, job.Height!.Value);
        return new()
        {
            Image = new RgbImage(width, height, input.DecompressImage(width * height)),
            Mask = input.DecompressMask(width * height),
            Strength = job.Input!.Strength,
        };
    }

    /// <summary>Cuts off the padding of the job's input. Images of another size, such as previews, are cut in proportion.</summary>
    public static RgbImage Content(ImageJob job, RgbImage image)
    {
        if (job is not { Input: { } input, Width: { } width, Height: { } height })
            return image;
        return image.Crop(
            (input.ContentWidth * image.Width + width - 1) / width, (input.ContentHeight * image.Height + height - 1) / height);
    }

    /// <summary>The HTTP API's name of a request's property.</summary>
    public static string FieldName(string property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property);

    public static ImageFormat Format(OutputFormat format) => format switch
    {
        OutputFormat.Png => ImageFormat.Png,
        OutputFormat.Jpeg => ImageFormat.Jpeg,
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
        ImageInput = model.ImageInput,
        RequiresMask = model.RequiresMask,
        DefaultStrength = model.DefaultStrength,
        DefaultMaskedStrength = model.DefaultMaskedStrength,
        DefaultMaskedSampler = model.DefaultMaskedSampler,
    };
}
