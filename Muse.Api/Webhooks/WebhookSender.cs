using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Announces the end of jobs to the addresses their callers named.</summary>
/// <remarks>
/// Signed as standardwebhooks.com describes: <c>webhook-signature</c> is <c>v1,</c> and the Base64 of HMAC-SHA256 over <c>id.timestamp.body</c>.
/// The process that accepted the job announces it; if that process dies before, nobody does, and the job itself is the truth.
/// </remarks>
public sealed partial class WebhookSender(JobQueue queue, IHttpClientFactory clients, IOptions<ApiOptions> options, TimeProvider time, ILogger<WebhookSender> logger) : BackgroundService
{
    /// <summary>The name of the HTTP client that sends: retries with back-off, no redirects.</summary>
    public const string Client = "webhooks";
    readonly Channel<ImageJob> jobs = Channel.CreateUnbounded<ImageJob>();

    /// <summary>Will announce the job's end.</summary>
    public void Announce(ImageJob job) => jobs.Writer.TryWrite(job);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var job in jobs.Reader.ReadAllAsync(stoppingToken))
            _ = AnnounceAsync(job, stoppingToken);
    }

    async Task AnnounceAsync(ImageJob job, CancellationToken stopping)
    {
        try
        {
            if (await queue.WaitAsync(job.Id, stopping) is not { } final)
                return;
            using var request = Sign(job.Webhook!, job.Id, JsonSerializer.SerializeToUtf8Bytes(Announcement(final), ApiJson.Default.WebhookBody));
            using var response = await clients.CreateClient(Client).SendAsync(request, stopping);
            if (response.IsSuccessStatusCode)
                Delivered(job.Id, job.Webhook!.Host);
            else
                Undelivered(job.Id, job.Webhook!.Host, $"it answered {(int)response.StatusCode}");
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            Undelivered(job.Id, job.Webhook!.Host, "this process stops");
        }
        catch (Exception exception)
        {
            // Whatever it was, nobody waits for this task: the log is the only place to tell.
            Undelivered(job.Id, job.Webhook!.Host, exception.Message);
        }
    }

    static WebhookBody Announcement(JobSnapshot job)
    {
        var state = job.State switch { JobState.Succeeded => "succeeded", JobState.Failed => "failed", _ => "cancelled" };
        return new($"generation.{state}", job.FinishedAt ?? job.Job.CreatedAt, new(job.Job.Id, state, job.Job.Count, job.Job.Seed));
    }

    HttpRequestMessage Sign(Uri to, string id, byte[] body)
    {
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];
        var signature = Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(options.Value.WebhookSecret), signed));
        return new(HttpMethod.Post, to)
        {
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
            Headers = { { "webhook-id", id }, { "webhook-timestamp", timestamp }, { "webhook-signature", $"v1,{signature}" } },
        };
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Webhook of job {JobId} delivered to {Host}")]
    partial void Delivered(string jobId, string host);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Webhook of job {JobId} not delivered to {Host}: {Reason}")]
    partial void Undelivered(string jobId, string host, string reason);
}

/// <summary>What a webhook tells.</summary>
/// <param name="Type">generation.succeeded, generation.failed or generation.cancelled.</param>
/// <param name="Timestamp">When the job ended.</param>
/// <param name="Data">Which job.</param>
public sealed record WebhookBody(string Type, DateTimeOffset Timestamp, WebhookJob Data);

/// <summary>The job that a webhook tells of.</summary>
/// <param name="Id">The job; ask for it at <c>/v1/generations/{id}</c>.</param>
/// <param name="State">succeeded, failed or cancelled.</param>
/// <param name="N">How many pictures were asked for.</param>
/// <param name="Seed">The first picture's seed.</param>
public sealed record WebhookJob(string Id, string State, int N, long Seed);
