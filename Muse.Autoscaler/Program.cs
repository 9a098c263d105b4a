using Muse.Autoscaler;
using Muse.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddMuseQueue();
builder.AddAutoscaler();

var app = builder.Build();
app.MapDefaultEndpoints();
app.Run();
