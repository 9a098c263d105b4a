using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The body of <c>POST /v1/images/edits</c>, as JSON or as a form.</summary>
public sealed record EditsRequest : ImagesRequest
{
    /// <summary>The image to edit, as OpenAI's JSON has it.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The image to edit: [{\"image_url\": \"data:image/png;base64,...\"}].")]
    public IReadOnlyList<InputFile>? Images { get; init; }

    /// <summary>The same under the name of the form's field.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The same as 'images'; in a form, the file.")]
    public IReadOnlyList<InputFile>? Image { get; init; }

    /// <summary>An image of the same size; its transparent pixels are generated anew.</summary>
    [JsonConverter(typeof(InputFileConverter)), Description("An image of the same size, whose transparent pixels are generated anew. "
        + "All others stay as they are.")]
    public InputFile? Mask { get; init; }

    /// <summary>alpha or white_is_edit.</summary>
    [AllowedValues("alpha", "white_is_edit"), DefaultValue("alpha"),
        Description("Which pixels of the mask are generated anew: the transparent or the white ones.")]
    public string? MaskMode { get; init; }

    /// <summary>How far from the image the result may be, above 0 to 1.</summary>
    [Range(0.0, 1.0), Description("How far from the image the result may be, above 0 to 1. Left out: the model's default.")]
    public double? Strength { get; init; }

    /// <summary>high or low: a strength where none is given.</summary>
    [AllowedValues("high", "low"), Description("How much of the image to keep, where 'strength' and 'mask' are left out.")]
    public string? InputFidelity { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<InputFile>? InputImages => Images ?? Image;

    /// <inheritdoc/>
    public override InputFile? InputMask => Mask;

    /// <inheritdoc/>
    public override double? InputStrength => Strength ?? (Mask is not null ? null : InputFidelity switch
    {
        "high" => HighFidelityStrength,
        "low" => LowFidelityStrength,
        _ => null,
    });

    /// <inheritdoc/>
    public override string? InputMaskMode => MaskMode;

    const double HighFidelityStrength = 0.4, LowFidelityStrength = 0.75;
}
