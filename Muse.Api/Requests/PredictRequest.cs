using System.ComponentModel;

namespace Muse.Api;

/// <summary>The body of the original Muse's <c>POST /api/predict</c>.</summary>
public sealed record PredictRequest
{
    /// <summary>The prompt; "surprise me" stands for a random one.</summary>
    [Description("The prompt; \"surprise me\" stands for a random one.")]
    public string? Prompt { get; init; }

    /// <summary>The name of the prompt in the first version of the original.</summary>
    [Description("The name of the prompt in the first version of the original.")]
    public string? Dream { get; init; }

    /// <summary>50 steps instead of 25.</summary>
    [DefaultValue(false), Description("50 steps instead of 25.")]
    public bool? HighQuality { get; init; }
}
