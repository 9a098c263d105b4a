using System.ComponentModel.DataAnnotations;

namespace Muse.Queue;

/// <summary>Settings of the queue, section <c>Queue</c>.</summary>
public sealed class QueueOptions
{
    /// <summary>The name of the served model; part of every key.</summary>
    [Required, RegularExpression("^[A-Za-z0-9._-]{1,64}$")]
    public string Model { get; set; } = "scenes";

    /// <summary>How long a finished job and its images are kept. Default 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "7.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>An image whose lease was not renewed for this long may be taken over by another worker. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The webhooks of an API process that died are taken over after this long. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan WebhookLease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>After this many deliveries that crashed their worker, an image goes to the dead letters. Default 3.</summary>
    [Range(1, 100)]
    public int MaxDeliveries { get; set; } = 3;

    /// <summary>A job that would wait longer is rejected. Default 2 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Maximum of images in the queue, whatever the estimated wait. Default 10,000.</summary>
    [Range(1, 10_000_000)]
    public int MaxLength { get; set; } = 10_000;

    /// <summary>
    /// How long <c>/health</c> still reports a program as ready after Redis was reachable last, so that a short outage does not take all
    /// API processes out of service at once. A program is not ready before Redis has answered once. Default 30 s; 0 for no time.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ReadinessGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A job is accepted only when so many replicas of Redis have it, so that it outlives a failover. Default 0: the master alone.
    /// </summary>
    [Range(0, 5)]
    public int WaitReplicas { get; set; }

    /// <summary>The longest time to wait for <see cref="WaitReplicas"/>; after it the API answers 503. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:30")]
    public TimeSpan WaitTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often workers poll, in case a signal got lost. Default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan SafetyPoll { get; set; } = TimeSpan.FromMilliseconds(250);
}
