using Muse.Queue;

namespace Muse.Api;

/// <summary>The jobs that a caller has submitted through AUTOMATIC1111's API, whichever API process has accepted them.</summary>
public sealed class Automatic1111Jobs(JobQueue queue, ModelCardCache models, TimeProvider time)
{
    /// <summary>How many of a caller's latest jobs are searched.</summary>
    const int Latest = 50;

    /// <summary>The caller's oldest unfinished job, which is the present one; null where there is none.</summary>
    public async Task<JobSnapshot?> CurrentAsync(string owner, CancellationToken cancellation)
    {
        var page = await queue.ListAsync(owner, null, Latest, cancellation);
        return page.Jobs.LastOrDefault(job =>
            job.Job.Id.StartsWith(Automatic1111Mapping.IdPrefix, StringComparison.Ordinal) && !job.State.IsFinal());
    }

    /// <summary>The progress of the caller's present job.</summary>
    public async Task<Automatic1111Progress> ProgressAsync(string owner, bool withImage, CancellationToken cancellation)
    {
        if (await CurrentAsync(owner, cancellation) is not { } job)
            return new() { State = new() };
        // Front ends take a progress of 0 for no job, so a job that waits has a little more.
        const double Least = 0.01;
        var (step, steps) = (job.Images.Sum(image => image.Step), job.Images.Sum(image => image.Steps));
        var progress = Math.Clamp(steps > 0 ? (double)step / steps : 0, Least, 1);
        var present = job.Images.FirstOrDefault(image => !image.State.IsFinal()) ?? job.Images[^1];
        var elapsed = (time.GetUtcNow() - job.Job.CreatedAt).TotalSeconds;
        var preview = withImage && present.Previews > 0 && !await models.ChecksSafetyAsync(cancellation)
            ? await queue.FindPreviewAsync(job.Job.Id, present.Index, cancellation)
            : null;
        return new()
        {
            Progress = progress,
            EtaRelative = Math.Max(0, elapsed / progress - elapsed),
            CurrentImage = preview is null ? null : Convert.ToBase64String(preview.Bytes.Span),
            State = new()
            {
                Job = job.Job.Id,
                JobCount = job.Job.Count,
                JobNo = job.Images.Count(image => image.State.IsFinal()),
                JobTimestamp = Automatic1111Response.Timestamp(job.Job.CreatedAt),
                SamplingStep = present.Step,
                SamplingSteps = present.Steps,
            },
        };
    }

    /// <summary>Cancels the caller's present job, if there is one.</summary>
    public async Task InterruptAsync(string owner, CancellationToken cancellation)
    {
        if (await CurrentAsync(owner, cancellation) is { } job)
            await queue.CancelAsync(job.Job.Id, cancellation);
    }
}
