using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The body of <c>POST /v1/generations</c>.</summary>
public sealed record GenerationBody : ImageRequestFields
{
    /// <summary>How many previews of each image to make, 0 to 100.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(0, 100), DefaultValue(0), Description("How many previews of each image to make.")]
    public int? Previews { get; init; }

    /// <summary>interactive or batch.</summary>
    [AllowedValues("interactive", "batch"), DefaultValue("interactive"),
        Description("Interactive jobs go before batch jobs, without starving them.")]
    public string? Priority { get; init; }

    /// <summary>Seconds after which the job is no longer started.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(1, 86_400), Description("A job that has not started after this many seconds fails with deadline_exceeded.")]
    public int? DeadlineSeconds { get; init; }

    /// <summary>The address that receives a POST when the job has ended.</summary>
    [Description("The address that receives a POST when the job has ended; only origins that the operator allows.")]
    public string? Webhook { get; init; }

    /// <summary>The image to start from.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The image to start from: a data: URL with a PNG, JPEG or WebP file.")]
    public IReadOnlyList<InputFile>? Image { get; init; }

    /// <summary>An image of the same size that says which pixels are generated anew.</summary>
    [JsonConverter(typeof(InputFileConverter)), Description("An image of the same size, whose transparent pixels are generated anew.")]
    public InputFile? Mask { get; init; }

    /// <summary>alpha or white_is_edit.</summary>
    [AllowedValues("alpha", "white_is_edit"), DefaultValue("alpha"),
        Description("Which pixels of the mask are generated anew: the transparent or the white ones.")]
    public string? MaskMode { get; init; }

    /// <summary>How far from the image the result may be, above 0 to 1.</summary>
    [Range(0.0, 1.0), Description("How far from the image the result may be, above 0 to 1. Left out: the model's default.")]
    public double? Strength { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<InputFile>? InputImages => Image;

    /// <inheritdoc/>
    public override InputFile? InputMask => Mask;

    /// <inheritdoc/>
    public override double? InputStrength => Strength;

    /// <inheritdoc/>
    public override string? InputMaskMode => MaskMode;
}
