using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Makes a request ready for the batch: encodes its prompts, plans its sampler, and puts its latent at the start or where its checkpoint stood.</summary>
sealed class PromptEncoder(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger logger)
{
    readonly EmbeddingCache embeddings = new(options.EmbeddingCache);
    readonly Dictionary<string, Sampler> samplers = [];
    readonly Dictionary<(string Sampler, int Steps), SamplerPlan> plans = [];

    /// <summary>Prepares the slot; a failure is left in it.</summary>
    public void Encode(Slot slot)
    {
        var request = slot.Request;
        var span = EngineTelemetry.StartForRequest("encode prompt", request);
        var started = time.GetTimestamp();
        try
        {
            var (sampler, plan) = PlanFor(request);
            var guided = request.GuidanceScale > 1 && !model.GuidanceEmbedded;
            var positive = Embed(request.Prompt, negative: false);
            var negative = guided ? Embed(request.NegativePrompt, negative: true) : null;
            // Both rows of a request are in one batch, so both prompts must be equally long.
            if (negative is not null && negative.Tokens > positive.Tokens)
                positive = Embed(request.Prompt, negative: false, negative.Tokens);
            else if (negative is not null && negative.Tokens < positive.Tokens)
                negative = Embed(request.NegativePrompt, negative: true, positive.Tokens);
            var latent = model.Latent(request.Width, request.Height);
            if (slot.Begin(model.Traits, sampler, plan, new SeededNoise(request.Seed), latent, positive, negative) is { } refused)
                EngineLog.CheckpointRefused(logger, request.Id, refused);
            EngineTelemetry.End(span);
        }
        catch (Exception e)
        {
            slot.Failure = e;
            EngineTelemetry.End(span, e);
        }
        EngineTelemetry.EncodeDuration.Record(time.GetElapsedTime(started).TotalSeconds);
    }

    PromptEmbedding Embed(string text, bool negative, int minTokens = 0) =>
        embeddings.GetOrAdd(new(text, negative, minTokens), key => model.Encode(key.Text, key.Negative, key.MinTokens));

    (Sampler, SamplerPlan) PlanFor(GenerationRequest request)
    {
        var name = request.Sampler is null ? "" : Samplers.CanonicalName(request.Sampler) ?? request.Sampler;
        if (!samplers.TryGetValue(name, out var sampler))
            samplers[name] = sampler = model.Sampler(request.Sampler);
        if (!plans.TryGetValue((sampler.Name, request.Steps), out var plan))
            plans[(sampler.Name, request.Steps)] = plan = sampler.Plan(request.Steps);
        return (sampler, plan);
    }
}
