-- one row per customer with an act before :as_of: the lifecycle groups of its month and week and of the month before
with cutoff as (
    select
        last_days.month as last_month,
        last_days.week as last_week,
        next_days.month - 1 as complete_month
    from calendar as last_days
    inner join calendar as next_days on last_days.day = next_days.day - 1
    where next_days.day = :as_of
),

acted as (
    select
        acts.entity_id,
        calendar.month,
        calendar.week
    from acts
    inner join calendar on acts.day = calendar.day
    group by acts.entity_id, calendar.month, calendar.week
),

every_moment as (
    select
        acted.entity_id,
        'month' as moment,
        acted.month as period,
        cutoff.last_month as last_period
    from acted
    cross join cutoff
    union
    select
        acted.entity_id,
        'week' as moment,
        acted.week as period,
        cutoff.last_week as last_period
    from acted
    cross join cutoff
    union
    select
        acted.entity_id,
        'complete' as moment,
        acted.month as period,
        cutoff.complete_month as last_period
    from acted
    cross join cutoff
    where acted.month <= cutoff.complete_month
),

placed as (
    select
        entity_id,
        moment,
        period,
        last_period,
        row_number() over (partition by entity_id, moment order by period desc) as place
    from every_moment
),

spans as (
    select
        entity_id,
        moment,
        last_period,
        min(period) as first_period,
        max(period) as latest,
        max(case when place = 2 then period end) as previous
    from placed
    group by entity_id, moment, last_period
),

grouped as (
    select
        entity_id,
        moment,
        case
            when last_period - latest >= :lapsed_after then 'lapsed'
            when last_period > latest then 'dormant'
            when first_period = latest then 'new'
            when first_period = latest - 1 then 'last_new'
            when previous = latest - 1 then 'active'
            when latest - previous - 1 < :lapsed_after then 'awakened'
            else 'returned'
        end as moment_group
    from spans
)

select
    entity_id,
    max(case when moment = 'month' then moment_group end) as lifecycle_group,
    max(case when moment = 'week' then moment_group end) as lifecycle_group_week,
    max(case when moment = 'complete' then moment_group end) as lifecycle_group_complete
from grouped
group by entity_id
