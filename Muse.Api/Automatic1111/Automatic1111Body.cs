using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The body of <c>txt2img</c> and <c>img2img</c>: the fields of AUTOMATIC1111's API that have an effect, and all others.</summary>
public sealed record Automatic1111Body
{
    /// <summary>The prompt.</summary>
    [Description("The prompt; weights such as (red:1.3) are read.")]
    public string? Prompt { get; init; }

    /// <summary>What the image must not show.</summary>
    [Description("What the image must not show.")]
    public string? NegativePrompt { get; init; }

    /// <summary>The first image's seed; negative for a random one.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("The first image's seed; -1 is random.")]
    public decimal? Seed { get; init; }

    /// <summary>Denoising steps.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("Denoising steps, limited to what the model allows.")]
    public decimal? Steps { get; init; }

    /// <summary>Classifier-free guidance scale.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("Classifier-free guidance scale.")]
    public decimal? CfgScale { get; init; }

    /// <summary>Width in pixels.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("Width, pixels; the nearest that the model supports is used.")]
    public decimal? Width { get; init; }

    /// <summary>Height in pixels.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("Height, pixels; the nearest that the model supports is used.")]
    public decimal? Height { get; init; }

    /// <summary>Images at once.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("With n_iter: batch_size × n_iter images, at most 10.")]
    public decimal? BatchSize { get; init; }

    /// <summary>How many times <see cref="BatchSize"/> images.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("With batch_size: batch_size × n_iter images, at most 10.")]
    public decimal? NIter { get; init; }

    /// <summary>The sampler's name, such as <c>DPM++ 2M</c> or <c>DPM++ 2M Karras</c>.</summary>
    [Description("The sampler's name; /sdapi/v1/samplers lists them. Others are replaced by the nearest.")]
    public string? SamplerName { get; init; }

    /// <summary>An older name of <see cref="SamplerName"/>.</summary>
    [Description("An older name of sampler_name.")]
    public string? SamplerIndex { get; init; }

    /// <summary>The schedule of the sampler's noise levels: Automatic or Karras.</summary>
    [Description("The schedule of noise levels: Automatic, Normal or Karras.")]
    public string? Scheduler { get; init; }

    /// <summary>How far from the first image the result may be, 0 to 1.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("img2img: how far from the image the result may be, 0 to 1.")]
    public decimal? DenoisingStrength { get; init; }

    /// <summary>The image to start from.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("img2img: the image to start from, as Base64 or a data: URL.")]
    public IReadOnlyList<InputFile>? InitImages { get; init; }

    /// <summary>Which part of the image is generated anew.</summary>
    [JsonConverter(typeof(InputFileConverter)), Description("img2img: an image whose white pixels are generated anew.")]
    public InputFile? Mask { get; init; }

    /// <summary>1: the mask's black pixels are generated anew.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("img2img: 1 where the mask's black pixels are generated anew.")]
    public decimal? InpaintingMaskInvert { get; init; }

    /// <summary>Whether the response contains the images.</summary>
    [JsonConverter(typeof(LenientNumberConverter)), Description("Whether the response contains the images; true unless given.")]
    public decimal? SendImages { get; init; }

    /// <summary>Options for this request: <c>sd_model_checkpoint</c>, <c>samples_format</c>, <c>emphasis</c>.</summary>
    [Description("Options for this request. Those with an effect: sd_model_checkpoint, samples_format (png, jpg, webp), emphasis (None "
        + "reads weights as text).")]
    public Dictionary<string, JsonElement>? OverrideSettings { get; init; }

    /// <summary>All other fields; they have no effect.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}
