using System.Diagnostics;
using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>One request's state in the engine: its latent, its sampler's history, and what it is denoised towards.</summary>
/// <remarks>Handed from thread to thread with the request: encoder, then engine, then decoder; only <see cref="Cancel"/> is for
/// all.</remarks>
sealed class Slot(GenerationRequest request, ReadOnlyMemory<byte> checkpoint, long submittedAt) : BatchMember
{
    volatile bool cancelled;
    BatchKey key;
    float guidanceMaxTimestep;

    public GenerationRequest Request { get; } = request;
    public ReadOnlyMemory<byte> Checkpoint { get; set; } = checkpoint;
    public long SubmittedAt { get; } = submittedAt;

    public Sampler Sampler { get; private set; } = null!;
    public SamplerPlan Plan { get; private set; } = null!;
    public INoiseSource Noise { get; private set; } = null!;
    public LatentShape Shape { get; private set; }
    public Conditioning Positive { get; private set; } = null!;
    public Conditioning? Negative { get; private set; }
    public byte[] Identity { get; private set; } = null!;

    public float[] Latent { get; private set; } = null!;
    public float[] History { get; private set; } = null!;

    /// <summary>How many evaluations of the denoiser are done.</summary>
    public int Evaluation { get; set; }

    /// <summary>Why it failed; null unless it did. It leaves at the next plan.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Its span from joining to leaving the batch.</summary>
    public Activity? Span { get; set; }

    /// <summary>Whether the engine counts it among those that take up room.</summary>
    public bool TakesRoom { get; set; } = true;

    /// <summary>Whether its prompts are encoded and its latent stands at the start.</summary>
    public bool Ready => Latent is not null;

    /// <summary>Steps done, as the caller counts them: Heun takes two evaluations for one.</summary>
    public int Step => StepAfter(Evaluation);

    public int StepAfter(int evaluations) => Plan is null ? 0 : evaluations * Plan.Steps / Plan.Timesteps.Length;

    public override BatchKey Key => key;
    public override int Rows => Guided ? 2 : 1;

    /// <summary>Whether its next evaluation is guided, and so takes a row for the negative prompt too. A negative prompt acts from the
    /// first step on, where the composition is decided.</summary>
    public bool Guided =>
        Negative is not null && !Finished && (!string.IsNullOrEmpty(Request.NegativePrompt) || Timestep <= guidanceMaxTimestep);

    public override float Timestep => Plan.Timesteps[Evaluation];
    public override bool Finished => Evaluation == Plan.Timesteps.Length;
    public override bool Cancelled => cancelled || Failure is not null;

    public void Cancel() => cancelled = true;

    /// <summary>Puts the request at its start, or where its checkpoint stood.</summary>
    /// <returns>Why its checkpoint was not used; null when it was, or when there was none.</returns>
    public string? Begin(IDiffusionModel model, Sampler sampler, SamplerPlan plan, INoiseSource noise, LatentShape shape,
        Conditioning positive, Conditioning? negative)
    {
        (Sampler, Plan, Noise, Shape, Positive, Negative) = (sampler, plan, noise, shape, positive, negative);
        guidanceMaxTimestep = model.Traits.GuidanceMaxTimestep;
        key = new BatchKey(Request.Width, Request.Height, positive.Shape);
        Identity = SlotState.IdentityOf(model.Traits, sampler.Name, Request);
        History = new float[sampler.HistoryBuffers * shape.Length];
        var latent = new float[shape.Length];
        string? refused = null;
        if (!Checkpoint.IsEmpty)
        {
            refused = SlotState.Restore(Checkpoint.Span, Identity, plan.Timesteps.Length, latent, History, out var evaluation);
            Evaluation = evaluation;
            Checkpoint = default;
        }
        if (Evaluation == 0)
        {
            noise.Fill(-1, latent);
            model.Pack(shape, latent);
            TensorPrimitives.Multiply(latent, plan.InitNoiseSigma, latent);
        }
        Latent = latent;
        return refused;
    }

    /// <summary>Its state, from which another engine can continue; empty when it has not begun.</summary>
    public ReadOnlyMemory<byte> Save()
    {
        if (!Ready)
            return Checkpoint;
        return Evaluation == 0 ? default : SlotState.Save(Identity, Step, Evaluation, Latent, History);
    }
}
