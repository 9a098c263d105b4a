using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>
/// Prepares a request for the batch: encodes its prompts and its image, plans its sampler, and initialises its latent or restores its
/// checkpoint.
/// </summary>
sealed class RequestPreparation(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger logger)
{
    const int MaxPlans = 1000;

    readonly ConditioningCache conditionings = new(options.EmbeddingCache);
    readonly Dictionary<string, Sampler> samplers = [];
    readonly Dictionary<(string Sampler, int Steps, double Strength, LatentShape Shape), SamplerPlan> plans = [];

    /// <summary>Prepares the slot. An exception is stored in it.</summary>
    public void Prepare(Slot slot)
    {
        var request = slot.Request;
        var span = EngineTelemetry.StartForRequest("encode prompt", request);
        var started = time.GetTimestamp();
        try
        {
            var latent = model.GetLatentShape(request.Width, request.Height);
            var (sampler, plan) = PlanFor(request, latent);
            var (positive, negative) = Encode(request);
            EngineTelemetry.EncodeDuration.Record(time.GetElapsedTime(started).TotalSeconds);
            EngineTelemetry.End(span);
            span = request.Input is null ? null : EngineTelemetry.StartForRequest("encode image", request);
            started = time.GetTimestamp();
            if (slot.Begin(model, sampler, plan, new SeededNoise(request.Seed), latent, positive, negative) is { } refused)
                EngineLog.CheckpointRefused(logger, request.Id, refused);
            if (request.Input is not null)
                EngineTelemetry.ImageEncodeDuration.Record(time.GetElapsedTime(started).TotalSeconds);
            EngineTelemetry.End(span);
        }
        catch (Exception e)
        {
            slot.Failure = e;
            EngineTelemetry.End(span, e);
        }
    }

    // Both rows of a request are in one batch, so both conditionings must have one shape.
    (Conditioning Positive, Conditioning? Negative) Encode(GenerationRequest request)
    {
        var weighted = request.PromptWeights;
        var positive = Encode(request.Prompt, weighted);
        if (model.GuidanceEmbedded && !string.IsNullOrEmpty(request.NegativePrompt))
            EngineLog.NegativePromptIgnored(logger, request.Id, model.Traits.Name);
        if (request.GuidanceScale <= 1 || model.GuidanceEmbedded)
            return (positive, null);
        var negative = Encode(request.NegativePrompt, weighted, positive.Shape);
        return negative.Shape == positive.Shape ? (positive, negative) : (Encode(request.Prompt, weighted, negative.Shape), negative);
    }

    Conditioning Encode(string? text, bool weighted, ConditioningShape? minimumShape = null) =>
        conditionings.GetOrAdd(new(text, minimumShape, weighted && text is not null), key => key.Weighted
            ? model.EncodeWeighted(WeightedPrompt.Parse(key.Text!), key.MinimumShape)
            : model.Encode(key.Text, key.MinimumShape));

    (Sampler, SamplerPlan) PlanFor(GenerationRequest request, LatentShape latent)
    {
        var requested = model.Traits.SamplerOf(request);
        var name = Samplers.CanonicalName(requested) ?? requested;
        if (!samplers.TryGetValue(name, out var sampler))
            samplers[name] = sampler = model.CreateSampler(name);
        var strength = request.Input?.Strength ?? 1;
        var key = (sampler.Name, request.Steps, strength, latent);
        if (!plans.TryGetValue(key, out var plan))
        {
            if (plans.Count >= MaxPlans)
                plans.Clear();
            plans[key] = plan = sampler.Plan(request.Steps, latent, strength);
        }
        return (sampler, plan);
    }
}
