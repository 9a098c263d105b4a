using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Sends a webhook when a job has ended.</summary>
/// <remarks>
/// Signed as standardwebhooks.com describes: <c>webhook-signature</c> is <c>v1,</c> and the Base64 of HMAC-SHA256 over
/// <c>id.timestamp.body</c>.
/// The process that accepted the job announces it; if that process ends before, another takes over. A receiver may hear of a job twice,
/// under the same <c>webhook-id</c>.
/// </remarks>
public sealed partial class WebhookSender(JobQueue queue, PendingWebhooks pending, IHttpClientFactory clients,
    IOptions<ApiOptions> options, TimeProvider time, ILogger<WebhookSender> logger) : BackgroundService
{
    /// <summary>The name of the HTTP client that sends: retries with back-off, no redirects.</summary>
    public const string Client = "webhooks";
    readonly ConcurrentDictionary<string, bool> held = new();
    readonly CancellationTokenSource stopping = new();

    /// <summary>Will announce the end of a job.</summary>
    public void SendWhenFinished(string jobId)
    {
        if (held.TryAdd(jobId, true))
            _ = SendWhenFinishedAsync(jobId);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(pending.KeepEvery, time);
        try
        {
            do
            {
                try
                {
                    foreach (var left in await pending.KeepAsync(held.Keys, stoppingToken))
                        SendWhenFinished(left);
                }
                catch (QueueUnavailableException exception)
                {
                    NotKept(exception.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await LeaveAsync();
        }
    }

    /// <summary>Hands what is not announced yet to the other processes.</summary>
    async Task LeaveAsync()
    {
        string[] left = [.. held.Keys];
        await stopping.CancelAsync();
        try
        {
            if (left.Length > 0)
                await pending.LeaveAsync(left, CancellationToken.None);
        }
        catch (QueueUnavailableException exception)
        {
            NotKept(exception.Message);
        }
    }

    async Task SendWhenFinishedAsync(string jobId)
    {
        try
        {
            if (await queue.WaitAsync(jobId, stopping.Token) is { Job.Webhook: { } address } final)
                await SendAsync(final, address);
            await pending.DoneAsync(jobId, CancellationToken.None);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested) { } // Another process does it.
        catch (Exception exception)
        {
            // Nobody waits for this task; no longer kept, the job is found again when its lease is over.
            NotYet(jobId, exception.Message);
        }
        finally
        {
            held.TryRemove(jobId, out _);
        }
    }

    async Task SendAsync(JobSnapshot job, Uri address)
    {
        try
        {
            using var request = Sign(address, job.Job.Id, JsonSerializer.SerializeToUtf8Bytes(ToBody(job), ApiJson.Default.WebhookBody));
            using var response = await clients.CreateClient(Client).SendAsync(request, stopping.Token);
            if (response.IsSuccessStatusCode)
                Delivered(job.Job.Id, address.Host);
            else
                Undelivered(job.Job.Id, address.Host, $"it answered {(int)response.StatusCode}");
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            // Whatever it was, all its tries have failed: the log is the only place to tell.
            Undelivered(job.Job.Id, address.Host, exception.Message);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        stopping.Dispose();
        base.Dispose();
    }

    static WebhookBody ToBody(JobSnapshot job)
    {
        var state = job.State switch { JobState.Succeeded => "succeeded", JobState.Failed => "failed", _ => "cancelled" };
        return new($"generation.{state}", job.FinishedAt ?? job.Job.CreatedAt,
            new(job.Job.Id, state, job.Job.Count, unchecked((ulong)job.Job.Seed)));
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "Which webhooks are whose is not known while Redis is away: {Reason}")]
    partial void NotKept(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Webhook of job {JobId} not sent yet: {Reason}")]
    partial void NotYet(string jobId, string reason);

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
public sealed record WebhookJob(string Id, string State, int N, ulong Seed);
