using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Sends a webhook when a job has ended, and retries until it is delivered or given up.</summary>
/// <remarks>
/// The process that accepted the job sends its webhook. If that process ends, another takes over. A failed delivery is stored in Redis,
/// so it outlasts the job. A receiver may get a message twice, with the same <c>webhook-id</c>.
/// </remarks>
public sealed partial class WebhookSender(JobQueue queue, PendingWebhooks pending, WebhookSchedule schedule, IHttpClientFactory clients,
    IOptions<ApiOptions> options, TimeProvider time, ILogger<WebhookSender> logger) : BackgroundService
{
    /// <summary>The name of the HTTP client: no redirects, a time limit for each try.</summary>
    public const string Client = "webhooks";

    readonly ConcurrentDictionary<string, bool> held = new();
    readonly CancellationTokenSource stopping = new();

    /// <summary>Sends the webhook of a job when the job has ended.</summary>
    public void SendWhenFinished(string jobId)
    {
        if (held.TryAdd(jobId, true))
            _ = SendWhenFinishedAsync(jobId);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(pending.RenewalInterval, time);
        try
        {
            do
            {
                try
                {
                    foreach (var jobId in await pending.RenewLeasesAsync(held.Keys, stoppingToken))
                        SendWhenFinished(jobId);
                }
                catch (QueueUnavailableException exception)
                {
                    LeasesNotRenewed(exception.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await ReleaseAsync();
        }
    }

    /// <summary>Ends the leases of what is not sent yet, so that other processes take over at once.</summary>
    async Task ReleaseAsync()
    {
        string[] unsent = [.. held.Keys];
        await stopping.CancelAsync();
        try
        {
            if (unsent.Length > 0)
                await pending.ReleaseLeasesAsync(unsent, CancellationToken.None);
        }
        catch (QueueUnavailableException exception)
        {
            LeasesNotRenewed(exception.Message);
        }
    }

    async Task SendWhenFinishedAsync(string jobId)
    {
        try
        {
            var job = await queue.WaitAsync(jobId, stopping.Token);
            var stored = await pending.FindAsync(jobId, stopping.Token);
            var delivery = job is { Job.Webhook: { } address } ? Delivery(job, address) : stored;
            if (stored is not null && stored.MessageId == delivery?.MessageId)
                delivery = stored;
            if (delivery is null || await SendAsync(delivery))
                await pending.RemoveAsync(jobId, CancellationToken.None);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Another process sends it.
        }
        catch (Exception exception)
        {
            // The lease of the job runs out, and the next process to look sends its webhook.
            Postponed(jobId, exception.Message);
        }
        finally
        {
            held.TryRemove(jobId, out _);
        }
    }

    /// <summary>Tries until the message is delivered or given up.</summary>
    /// <returns>Whether it was delivered.</returns>
    async Task<bool> SendAsync(WebhookDelivery delivery)
    {
        while (true)
        {
            var (error, gone) = await TryAsync(delivery);
            if (error is null)
            {
                Delivered(delivery.JobId, delivery.Address.Host);
                return true;
            }

            delivery = delivery with { Tries = delivery.Tries + 1, Error = error, GivenUp = gone };
            var next = schedule.Next(delivery, time.GetUtcNow());
            await pending.StoreAsync(delivery with { GivenUp = next is null }, stopping.Token);
            if (next is not { } delay)
            {
                GivenUp(delivery.JobId, delivery.Address.Host, delivery.Tries, error);
                return false;
            }

            Failed(delivery.JobId, delivery.Address.Host, delivery.Tries, delay, error);
            await Task.Delay(delay, time, stopping.Token);
        }
    }

    /// <summary>One try, signed with the present time: receivers refuse old timestamps.</summary>
    /// <returns>Why it failed, or null; and whether the receiver wants no further try (410).</returns>
    async Task<(string? Error, bool Gone)> TryAsync(WebhookDelivery delivery)
    {
        try
        {
            var now = time.GetUtcNow();
            using var request = new HttpRequestMessage(HttpMethod.Post, delivery.Address)
            {
                Content = new StringContent(delivery.Body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
                Headers =
                {
                    { "webhook-id", delivery.MessageId },
                    { "webhook-timestamp", WebhookSignature.Timestamp(now) },
                    { "webhook-signature", WebhookSignature.Create(options.Value.WebhookSecret, delivery.MessageId, now, delivery.Body) },
                },
            };
            using var response = await clients.CreateClient(Client).SendAsync(request, stopping.Token);
            return response.IsSuccessStatusCode ? (null, false)
                : (string.Create(CultureInfo.InvariantCulture, $"it responded with {(int)response.StatusCode}"),
                    response.StatusCode == HttpStatusCode.Gone);
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            return (exception.Message, false);
        }
    }

    WebhookDelivery Delivery(JobSnapshot job, Uri address) => new(job.Job.Id, MessageId(job), address,
        JsonSerializer.Serialize(WebhookBody.From(job), ApiJson.Default.WebhookBody), 0, time.GetUtcNow(), "", false);

    /// <summary>
    /// The same for every process, another for each end of a job that was requeued, and without the job's id, which opens its images.
    /// </summary>
    static string MessageId(JobSnapshot job)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"webhook {job.Job.Id} {job.Revision}")));
        return $"msg_{Base64Url.EncodeToString(hash.AsSpan(0, 18))}";
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        stopping.Dispose();
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The leases of webhooks could not be renewed: {Reason}")]
    partial void LeasesNotRenewed(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The webhook of job {JobId} is postponed: {Reason}")]
    partial void Postponed(string jobId, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The webhook of job {JobId} was delivered to {Host}")]
    partial void Delivered(string jobId, string host);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The webhook of job {JobId} was not delivered to {Host}, try {Tries}, next in {Delay}: {Reason}")]
    partial void Failed(string jobId, string host, int tries, TimeSpan delay, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The webhook of job {JobId} to {Host} is given up after {Tries} tries: {Reason}. An operator can resend it")]
    partial void GivenUp(string jobId, string host, int tries, string reason);
}
