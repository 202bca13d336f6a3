-- one row per period and step from group to group, counted before :as_of; who stays lapsed is not among them
with silent as (
    select
        active.period + silences.silence as period,
        case when silences.silence = 1 then active.active_group else 'dormant' end as group_before,
        case when silences.silence < :lapsed_after then 'dormant' else 'lapsed' end as group_after
    from active_groups as active
    inner join silences on silences.silence < coalesce(active.next_period, :last_period + 1) - active.period
),

steps as (
    select
        period,
        group_before,
        active_group as group_after
    from active_groups
    union all
    select
        period,
        group_before,
        group_after
    from silent
)

select
    period,
    group_before,
    group_after,
    count(*) as users
from steps
group by period, group_before, group_after
