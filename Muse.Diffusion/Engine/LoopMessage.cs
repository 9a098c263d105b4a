namespace Muse.Diffusion;

/// <summary>What a message to the <see cref="StepLoop"/> is about.</summary>
enum LoopMessageKind
{
    /// <summary>The encoder has prepared a request.</summary>
    Prepared,
    /// <summary>A request was cancelled, or a delay is over: plan again.</summary>
    PlanAgain,
    /// <summary>The engine drains: hand all requests back.</summary>
    Drain,
    /// <summary>The encoder has sent its last request.</summary>
    EncoderEnded,
}

/// <summary>A message to the <see cref="StepLoop"/>.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Slot">The request that comes from the encoder.</param>
readonly record struct LoopMessage(LoopMessageKind Kind, Slot? Slot = null);
